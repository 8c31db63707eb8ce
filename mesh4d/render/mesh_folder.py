"""Any folder of meshes as a data set without labels: one record per mesh."""

from pathlib import Path

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.record import Record
from mesh4d.errors import MeshFormatError
from mesh4d.io.registry import FORMATS, format_suffix

KIND = "folder"


def index_meshes(root: Path) -> Dataset:
    """The meshes below a folder, in the order of their names; other files are passed over.

    A record is called as its file's path in the folder; its subject is the name of the folder that it lies in.

    Raises:
        MeshFormatError: no mesh is there.
    """
    names = [
        file.relative_to(root).as_posix() for file in sorted(root.rglob("*")) if file.is_file() and _readable(file)
    ]
    if not names:
        raise MeshFormatError(root, "folder", f"meshes ({', '.join(FORMATS)})", "none")
    return Dataset(KIND, root, tuple(Record(KIND, name, (root / name).parent.name, (name,), "") for name in names))


def _readable(file: Path) -> bool:
    entry = FORMATS.get(format_suffix(file))
    return entry is not None and entry.read_mesh is not None
