"""What a command line opens: what each kind of file is taken for, and that a client can only name a number."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from aublend import head_model, write_rig
from aublend.curves import neutral_apex_neutral
from mesh4d import MeshError, read_mesh, write_mesh, write_sequence
from viewer.head_jobs import HeadJobs, SequenceJobs
from viewer.messages import HeadJob
from viewer.openings import first_mesh, linked_frames, shown
from viewer.server import create_app

TOKEN = {"token": "a-secret"}


@pytest.fixture(scope="module")
def head_rig():
    return head_model().rig(502)


@pytest.fixture(scope="module")
def files(head_rig, tmp_path_factory):
    """A folder with a rig, a mesh, a sequence, frames, and a data set."""
    folder = tmp_path_factory.mktemp("files")
    frames = head_rig.animate(neutral_apex_neutral({"AU12": 1.0}, fps=3.0))
    write_rig(head_rig, folder / "rig.glb")
    write_rig(head_rig, folder / "rig.npz")
    write_mesh(head_rig.neutral, folder / "head.obj")
    write_mesh(head_rig.neutral, folder / "head.glb")
    write_sequence(frames, folder / "smile.npz")
    (folder / "frames").mkdir()
    for number in range(3):
        write_mesh(frames[number], folder / "frames" / f"f_{number:02d}.ply")
    (folder / "set" / "p").mkdir(parents=True)
    write_mesh(head_rig.neutral, folder / "set" / "p" / "rest.ply")
    write_mesh(frames[1], folder / "set" / "p" / "smile.ply")
    table = "name,subject,expression,intensity,fps,path,AU12\n"
    table += "rest,p,neutral,,,p/rest.ply,0\nsmile,p,happiness,1,,p/smile.ply,1\n"
    (folder / "set" / "labels.csv").write_text(table)
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def data_set(files):
    return shown(files / "set")


def test_rigs_are_shown_as_they_are(files):
    for name in ("rig.glb", "rig.npz"):
        found = shown(files / name)
        assert found.opens is None and found.openings == ()
        assert "AU12" in json.dumps(found.glb[:200_000].decode("latin-1"))


@pytest.mark.parametrize("name", ["head.obj", "head.glb", "smile.npz", "frames"])
def test_what_has_no_rig_is_shown_bare_and_then_worked_on(files, head_rig, name):
    found = shown(files / name)
    (opening,) = found.openings
    assert found.opens == 0 and opening.info.name == name
    assert read_mesh(found.glb, ".glb").n_vertices == first_mesh(opening.head).n_vertices == head_rig.neutral.n_vertices
    assert opening.info.moves == bool(opening.frames) == (not name.startswith("head"))
    assert len(opening.frames) == (3 if name == "frames" else int(opening.info.moves))


def test_a_data_set_is_a_list(data_set):
    assert data_set.opens is None and data_set.seed is not None
    rest, smile = data_set.openings
    assert (rest.info.subject, rest.info.expression, rest.info.moves) == ("p", "neutral", False)
    assert smile.head.name == "rest.ply", "a subject's neutral scan is the head that its expressions move"
    assert [frame.name for frame in smile.frames] == ["rest.ply", "smile.ply"]


@pytest.mark.parametrize("name", ["nothing.obj", "empty", "notes.txt", "broken.glb"])
def test_anything_else_is_explained(files, name):
    (files / "notes.txt").write_text("no mesh")
    (files / "broken.glb").write_bytes(b"glTF, or so it says")
    with pytest.raises(MeshError, match=name):
        shown(files / name)


class Recorded(HeadJobs):
    """Jobs that only write down what they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[tuple[Path, tuple[str, ...]]] = []

    def start(self, folder: "tempfile.TemporaryDirectory[str]", source: Path, name: str, *more: str) -> str:
        linked = tuple(file.resolve() for file in sorted(source.iterdir())) if source.is_dir() else ()
        self.started.append((source, tuple(str(file) for file in linked) or more))
        folder.cleanup()
        return str(len(self.started))

    def status(self, job: str) -> HeadJob | None:
        return HeadJob(job, job, "done", "", "") if job else None


class RecordedSequences(Recorded, SequenceJobs):
    """The same of sequences."""


@pytest.fixture
def heads():
    return Recorded()


@pytest.fixture
def sequences():
    return RecordedSequences()


@pytest.fixture
def client(client_stub, data_set, rig_glb, metadata, heads, sequences):
    app = create_app(rig_glb, metadata, token="a-secret", jobs=heads, sequences=sequences, openings=data_set.openings)
    return TestClient(app, base_url="http://127.0.0.1:8765")


def test_openings_are_asked_for_by_number(client, files, heads, sequences):
    answer = client.post("/heads", params=TOKEN | {"opening": "1"})
    assert answer.json()["state"] == "done"
    assert client.post("/heads", params=TOKEN | {"opening": "0"}).json()["id"] == answer.json()["id"], "the same head"
    assert [source for source, _ in heads.started] == [files / "set" / "p" / "rest.ply"]
    assert client.post("/sequences", params=TOKEN | {"opening": "1", "head": "main"}).status_code == 200
    ((_, frames),) = sequences.started
    assert [Path(frame).name for frame in frames] == ["rest.ply", "smile.ply"]
    assert client.post("/sequences", params=TOKEN | {"opening": "0", "head": "main"}).status_code == 404, "it is still"


@pytest.mark.parametrize(
    "number", ["2", "-1", "", "0x0", "1e0", "../rest.ply", "/etc/passwd", "99999999999999999", "²"]
)
def test_nothing_else_is_opened(client, heads, sequences, number):
    assert client.post("/heads", params=TOKEN | {"opening": number}).status_code == 404
    assert client.post("/sequences", params=TOKEN | {"opening": number, "head": "main"}).status_code == 404
    assert client.post("/heads", params={"opening": "0"}).status_code == 403
    assert heads.started == sequences.started == []


def test_frames_stay_where_they_are(files, tmp_path):
    paths = sorted((files / "frames").iterdir(), reverse=True)
    folder = linked_frames(paths, tmp_path)
    assert [file.name for file in sorted(folder.iterdir())] == ["000000.ply", "000001.ply", "000002.ply"]
    assert (folder / "000000.ply").resolve() == paths[0].resolve()
    np.testing.assert_array_equal(read_mesh(folder / "000002.ply").vertices, read_mesh(paths[2]).vertices)


def test_a_page_of_its_own_is_no_data_set(files, data_set):
    from viewer.cli import rigged

    with pytest.raises(MeshError, match="name a file of the data set"):
        rigged(data_set)
    found = shown(files / "rig.glb")
    assert rigged(found) is found
