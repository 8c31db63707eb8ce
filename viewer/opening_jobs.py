"""Work on what lies on the server's own disk: a client says a number of its list, and nothing else is opened."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from mesh4d.errors import MeshError
from viewer.head_jobs import HeadJobs, SequenceJobs
from viewer.messages import HeadJob, SolvedCurves
from viewer.openings import Opening, linked_frames

POLL_S = 0.5
_SOLVED = TypeAdapter(SolvedCurves)


class OpeningJobs:
    """Rigs and curves of openings, by their number."""

    def __init__(self, openings: Sequence[Opening], heads: HeadJobs, sequences: HeadJobs) -> None:
        self._openings = openings
        self._heads = heads
        self._sequences = sequences
        self._begun: dict[Path, str] = {}

    def head(self, number: str) -> HeadJob | None:
        """Begin with the rig of an opening's head, or go on with it when it was begun; None for no such number."""
        opening = self._numbered(number)
        if opening is None:
            return None
        before = self._heads.status(self._begun.get(opening.head, ""))
        if before is not None and before.state != "failed":
            return before
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        job = self._begun[opening.head] = self._heads.start(folder, opening.head, opening.info.name)
        return self._heads.status(job)

    def motion(self, number: str, rig_glb: bytes) -> HeadJob | None:
        """Begin to solve an opening's motion on a rig; None for no such number, or one that is still."""
        opening = self._numbered(number)
        if opening is None or not opening.frames:
            return None
        folder = tempfile.TemporaryDirectory(prefix="mesh4d-viewer-")
        rig_file = Path(folder.name) / "rig.glb"
        rig_file.write_bytes(rig_glb)
        alone = len(opening.frames) == 1
        source = opening.frames[0] if alone else linked_frames(opening.frames, Path(folder.name))
        fps = () if opening.fps is None else (str(opening.fps),)
        return self._sequences.status(self._sequences.start(folder, source, opening.info.name, str(rig_file), *fps))

    def _numbered(self, number: str) -> Opening | None:
        known = number.isascii() and number.isdigit() and int(number[:9]) < len(self._openings)
        return self._openings[int(number[:9])] if known else None


def glb_of_opening(opening: Opening, said: Callable[[str], None]) -> bytes:
    """An opening's rig, with its motion as an animation: a GLB for whoever has no page to wait in.

    Args:
        said: is told what is being done.

    Raises:
        MeshError: for a head or a sequence that cannot be worked on.
    """
    with closing(HeadJobs()) as heads, closing(SequenceJobs()) as sequences:
        own = OpeningJobs([opening], heads, sequences)
        head = _done(heads, own.head("0"), said)
        rig = heads.extra(head, ".glb") or b""
        if not opening.frames:
            return rig
        motion = sequences.payload(_done(sequences, own.motion("0", rig), said)) or b""
    return _animated(rig, _SOLVED.validate_json(motion))


def _done(jobs: HeadJobs, begun: HeadJob | None, said: Callable[[str], None]) -> str:
    """The id of a job once it is done."""
    job = begun
    while job is not None and job.state == "running":
        said(f"{job.name}: {job.stage}")
        jobs.wait(job.id, POLL_S)
        job = jobs.status(job.id)
    if job is None or job.state != "done":
        raise MeshError("the work was cancelled" if job is None else job.error)
    return job.id


def _animated(rig_glb: bytes, solved: SolvedCurves) -> bytes:
    from aublend import AUCurves, read_rig
    from aublend.rig_files import morph_mesh
    from mesh4d.io.gltf_write import gltf_bytes

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rig.glb"
        path.write_bytes(rig_glb)
        rig = read_rig(path)
    rows = np.array(solved.curves.rows, float).reshape(len(solved.curves.rows), -1)
    curves = AUCurves(solved.curves.names, rows, solved.fps)
    return gltf_bytes(morph_mesh(rig, curves), None, binary=True)
