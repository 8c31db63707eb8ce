"""Pictures of a whole data set into a Zarr store: resumed where it stopped, spread over processes or machines.

Each record is drawn by one task from its own files alone and written whole or not at all, so the store's bytes depend
neither on the number of workers nor on interruptions.
"""

import dataclasses
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.record import Record
from mesh4d.errors import MeshError, TopologyError
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import Framing
from mesh4d.render.channels import scene_of, topology_of
from mesh4d.render.framing_rule import FramingRule
from mesh4d.render.multiview import Picturing, picture_scenes
from mesh4d.render.view_store import ITEMS, create_store, done_items, framing_json, item_folder, rig_json, write_item
from mesh4d.threads import thread_count

LOCK = ".lock"
AHEAD = 4
"""Tasks per worker that wait at the scheduler; records are sent no earlier."""


@dataclass(frozen=True)
class RenderReport:
    """What a run did."""

    path: Path
    drawn: tuple[str, ...]
    skipped: tuple[str, ...]
    """Done by an earlier run."""
    failed: dict[str, str]
    """Records that could not be drawn, and why; the next run tries them again."""


@dataclass(frozen=True)
class RenderTask:
    """One record: all that a worker needs."""

    dataset: Dataset
    """With this record alone."""
    store: Path
    picturing: Picturing
    rule: FramingRule

    @property
    def record(self) -> Record:
        """What is drawn."""
        return self.dataset[0]

    def run(self) -> str | None:
        """Draw and write; what is wrong with the record's files, or None."""
        record = self.record
        try:
            framing = self.rule.of(self._frame(record.onset or 0))
            attributes = {
                "record": json.loads(json.dumps(dataclasses.asdict(record), default=dict)),
                "framing": framing_json(framing),
                "rig": rig_json(self.picturing.rig),
                "bands": self.picturing.bands,
            }
            size, views = self.picturing.size, len(self.picturing.rig)
            shape = (len(record.frames) * views, size, size, len(self.picturing.bands))
            write_item(self.store, record.name, attributes, shape, self.pictures(framing))
        except (MeshError, OSError) as error:
            return str(error)
        return None

    def pictures(self, framing: Framing) -> Iterator[Float[np.ndarray, "K H W C"]]:
        """All views of one frame after another; one frame is in memory."""
        record, picturing = self.record, self.picturing
        moves = "motion" in picturing.channels
        reference = self._frame(record.onset or 0) if moves and picturing.motion_from == "onset" else None
        for number in range(len(record.frames)):
            mesh = self._frame(number)
            before = mesh if reference is None else reference
            if moves and not (before.n_vertices == mesh.n_vertices and np.array_equal(before.faces, mesh.faces)):
                raise TopologyError(
                    f"{record.name}: frame {number} has another topology than the one that motion is measured from; "
                    "register the sequence first, or leave the channel 'motion' out"
                )
            topology = topology_of(mesh, picturing.channels, picturing.shading)
            scene = scene_of(topology, mesh.vertices, picturing.channels, before.vertices, framing.rotation)
            yield picture_scenes([scene], picturing, framing, thread_count())[0]
            if moves and picturing.motion_from == "previous":
                reference = mesh

    def _frame(self, number: int) -> Mesh:
        return self.dataset.read_frame(self.record, number)


def render_dataset(
    dataset: Dataset,
    path: str | PathLike[str],
    picturing: Picturing,
    rule: FramingRule | None = None,
    *,
    workers: int = 1,
    scheduler: str = "local",
) -> RenderReport:
    """Draw every record of a data set into a view store (see `open_views`); records that are there are skipped.

    Args:
        dataset: what `open_dataset` gives.
        path: the store, made when it is not there.
        picturing: rig, size, channels, ...
        rule: how each record is framed.
        workers: processes on this machine, each with one thread; 1 draws in this process with all cores.
        scheduler: "local", or the address of a dask scheduler whose workers see the same folders, such as
            "tcp://host:8786".

    Raises:
        MeshError: something else has that name, the store holds pictures taken otherwise, another run is writing to
            it, or the scheduler cannot be reached.
    """
    if workers < 1:
        raise MeshError(f"workers must be at least 1, found {workers}")
    if "motion" in picturing.channels and not all(record.is_sequence for record in dataset):
        still = next(record.name for record in dataset if not record.is_sequence)
        raise MeshError(f"channel 'motion': expected sequences, but record {still!r} is a single scan")
    path, rule = Path(path).absolute(), rule or FramingRule()
    rooted = dataclasses.replace(dataset, root=dataset.root.absolute(), problems=())
    create_store(path, {"dataset": dataset.kind, "framing": dataclasses.asdict(rule), **dataclasses.asdict(picturing)})
    lock = FileLock(path / LOCK, timeout=0)
    try:
        with lock:
            report = _draw_missing(rooted, path, picturing, rule, workers, scheduler)
            (path / LOCK).unlink(missing_ok=True)
            return report
    except Timeout as error:
        raise MeshError(f"{path}: another run is writing to this store") from error


def _draw_missing(
    dataset: Dataset, path: Path, picturing: Picturing, rule: FramingRule, workers: int, scheduler: str
) -> RenderReport:
    from tqdm import tqdm

    for leftover in (path / ITEMS).glob(".*"):  # of a run that was killed
        shutil.rmtree(leftover)
    there = {item.name for item in done_items(path)}
    skipped = [record.name for record in dataset if item_folder(path, record.name).name in there]
    known = set(skipped)
    todo = [record for record in dataset if record.name not in known]
    tasks = (RenderTask(dataclasses.replace(dataset, records=(record,)), path, picturing, rule) for record in todo)
    drawn: list[str] = []
    failed: dict[str, str] = {}
    if todo:
        results = _here(tasks) if workers == 1 and scheduler == "local" else _spread(tasks, workers, scheduler)
        bar = tqdm(results, "render", len(dataset), initial=len(skipped), unit="record", disable=None, delay=2)
        for name, problem in bar:
            if problem is None:
                drawn.append(name)
            else:
                failed[name] = problem
    return RenderReport(path, tuple(sorted(drawn)), tuple(skipped), dict(sorted(failed.items())))


def _here(tasks: Iterable[RenderTask]) -> Iterator[tuple[str, str | None]]:
    return ((task.record.name, task.run()) for task in tasks)


def _spread(tasks: Iterator[RenderTask], workers: int, scheduler: str) -> Iterator[tuple[str, str | None]]:
    """Names and problems as tasks end, by dask's workers."""
    from distributed import Client, LocalCluster, as_completed

    if scheduler == "local":
        source = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="")
    elif "://" in scheduler:
        source = scheduler
    else:
        raise MeshError(f"scheduler must be local or an address such as tcp://host:8786, found {scheduler!r}")
    try:
        client = Client(source, timeout=30)
    except OSError as error:
        raise MeshError(f"scheduler {scheduler}: {error}") from error
    try:
        with client:
            room = AHEAD * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
            running = as_completed([client.submit(_run, task, pure=False) for task in islice(tasks, room)])
            for future in running:
                yield future.result()
                following = next(tasks, None)
                if following is not None:
                    running.add(client.submit(_run, following, pure=False))
    finally:
        if not isinstance(source, str):
            source.close()


def _run(task: RenderTask) -> tuple[str, str | None]:
    return task.record.name, task.run()
