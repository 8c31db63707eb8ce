"""The command `mesh4d render`: a mesh, a sequence or a whole data set to pictures."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from mesh4d.errors import MeshError, MeshFormatError

if TYPE_CHECKING:
    from mesh4d.datasets.dataset import Dataset
    from mesh4d.mesh import Mesh
    from mesh4d.render.multiview import Picturing
    from mesh4d.sequence import MeshSequence

Channel = Literal[
    "depth", "normal", "mask", "shaded", "texture", "triangle_id", "barycentric", "uv", "position", "motion"
]


@dataclass(frozen=True)
class Render:
    """Render a mesh, a sequence, a folder of meshes or a data set from a rig of cameras.

    FILE to a contact sheet (-o NAME.png), a folder of PNGs (-o NAME) or numbers (-o NAME.npz, NAME.zarr); a folder or
    data set to a Zarr store (-o NAME.zarr), which goes on where an earlier run stopped.
    """

    input: Positional[Annotated[Path, arg(metavar="FILE|FOLDER")]]
    """A mesh, a sequence (.glb, .npz, .pc2, .zarr, ...), a folder of meshes, or a copy of a data set."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("views.png")
    """NAME.png, NAME.npz, NAME.zarr, or a folder."""
    rig: str = "fer7"
    """A camera rig of data_specs/views.toml: frontal, frontal_ortho, pm40, fer7, sphere24."""
    size: int = 224
    """Pixels per side."""
    channels: tuple[Channel, ...] = ("depth", "normal", "shaded")
    """What to draw; `mesh4d.render.channels` says what each holds."""
    framing: str = "whole"
    """What to show: whole (the mesh, in its own axes), face (upright by its 68 landmarks, whatever its pose and unit),
    or X,Y,Z,RADIUS in the mesh's unit. Measured at the onset, so that cameras stand still."""
    motion_from: Literal["onset", "previous"] = "onset"
    """What the channel motion is measured from."""
    albedo: Literal["own", "texture", "vertex", "part"] = "own"
    """Where colours come from: the first there is of texture, vertex colours and part, or one of these."""
    backend: Literal["numba", "open3d", "pyrender", "pytorch3d"] = "numba"
    """What finds the visible surface; all but numba are extras."""
    frame: int = 0
    """The frame that a contact sheet shows."""
    sequence: bool = False
    """Read FILE (or a folder of numbered meshes of one topology) as a sequence."""
    kind: str = "auto"
    """Of a data set: bu3dfe, bosphorus, bu4dfe, bp4d, 4dme, synthetic, or folder (each mesh in it is an item)."""
    option: tuple[str, ...] = ()
    """Options of the kind, such as mesh=RAW."""
    keep_going: bool = False
    """Leave contradictory or incomplete records out instead of refusing the copy."""
    workers: int = field(default=1)
    """Processes for a data set, one thread each; 1 draws in this process with all cores."""
    scheduler: str = "local"
    """local, or the address of a dask scheduler whose workers see the same folders, such as tcp://host:8786."""

    def run(self) -> dict[str, object]:
        from mesh4d.io.sources import MissingFileError
        from mesh4d.render.view_files import output_kind

        kind = output_kind(self.output)
        if not self.input.exists():
            raise MissingFileError(f"{self.input}: no such file or folder")
        if not self.input.is_dir() or self.input.suffix.lower() == ".zarr" or self.sequence:
            return self._run_file()
        if kind != ".zarr":
            raise MeshError(f"{self.output}: a folder or data set is rendered into NAME.zarr")
        return self._run_dataset()

    def _run_file(self) -> dict[str, object]:
        from mesh4d.render import render_views
        from mesh4d.render.framing_rule import FramingRule
        from mesh4d.render.view_files import write_views
        from mesh4d.sequence import MeshSequence

        shape = _read(self.input, self.sequence or "motion" in self.channels)
        onset = shape[0] if isinstance(shape, MeshSequence) else shape
        taken = self._picturing()
        views = render_views(
            shape, taken.rig, taken.size, taken.channels, FramingRule.parse(self.framing).of(onset),
            shading=taken.shading, motion_from=taken.motion_from, backend=taken.backend,
        )  # fmt: skip
        write_views(views, self.output, self.frame)
        return {"pictures": str(self.output), "frames": views.n_frames, "views": list(views.rig.view_names)}

    def _run_dataset(self) -> dict[str, object]:
        from mesh4d.render.batch import render_dataset
        from mesh4d.render.framing_rule import FramingRule

        report = render_dataset(
            self._dataset(), self.output, self._picturing(), FramingRule.parse(self.framing),
            workers=self.workers, scheduler=self.scheduler,
        )  # fmt: skip
        if report.failed:
            name, problem = next(iter(report.failed.items()))
            raise MeshError(
                f"{len(report.failed)} records could not be rendered ({len(report.drawn)} were, {len(report.skipped)} "
                f"were there), {name!r} among them: {problem}"
            )
        return {"store": str(self.output), "rendered": len(report.drawn), "already there": len(report.skipped)}

    def _picturing(self) -> "Picturing":
        from mesh4d.render import Shading, camera_rig
        from mesh4d.render.multiview import Picturing

        shading = Shading(albedo=self.albedo)
        return Picturing(camera_rig(self.rig), self.size, self.channels, shading, self.motion_from, self.backend)

    def _dataset(self) -> "Dataset":
        from mesh4d.datasets.commands import options_of
        from mesh4d.datasets.problems import DatasetError
        from mesh4d.datasets.registry import detect_kind, open_dataset
        from mesh4d.render.mesh_folder import index_meshes

        kind = self.kind
        if kind == "auto":
            try:
                kind = detect_kind(self.input)
            except DatasetError:
                kind = "folder"
            kind = "folder" if kind == "4dme" else kind  # whose layout any folders of meshes may have
        if kind == "folder":
            return index_meshes(self.input)
        return open_dataset(kind, self.input, keep_going=self.keep_going, **options_of(self.option))


def _read(path: Path, as_sequence: bool) -> "Mesh | MeshSequence":
    """A mesh, or a sequence where that is asked for or the file holds nothing else."""
    from mesh4d.io import read_mesh, read_sequence
    from mesh4d.io.registry import FORMATS, format_suffix

    entry = FORMATS.get(format_suffix(path))
    if as_sequence or (entry is not None and entry.read_mesh is None):
        return read_sequence(path)
    try:
        return read_mesh(path)
    except MeshFormatError:
        if entry is None or entry.read_sequence is None:
            raise
        with suppress(MeshFormatError):  # what is wrong with it as a mesh says more
            return read_sequence(path)
        raise
