"""Dataset: a table of records over a folder, and the way from a record to its meshes."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from mesh4d.datasets.problems import Problem
from mesh4d.datasets.record import Record
from mesh4d.errors import MeshError
from mesh4d.io import read_mesh
from mesh4d.io.frame_folder import FrameFolder
from mesh4d.io.landmark_files import read_landmarks
from mesh4d.io.textures import decode_texture
from mesh4d.mesh import Landmarks, Mesh

FIELDS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Record))


@dataclass(frozen=True)
class Dataset:
    """Records of one kind of data set under one folder; nothing is read until asked for."""

    kind: str
    root: Path
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    """What indexing tolerated, or left out."""

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for record in self.records:
            if record.name in seen:
                raise MeshError(f"data set {self.kind}: two records are called {record.name!r}")
            seen.add(record.name)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __getitem__(self, number: int) -> Record:
        return self.records[number]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects that have records, sorted."""
        return tuple(sorted({record.subject for record in self.records}))

    def named(self, name: str) -> Record:
        """The record of that name.

        Raises:
            MeshError: when there is none.
        """
        for record in self.records:
            if record.name == name:
                return record
        raise MeshError(f"data set {self.kind}: no record called {name!r}")

    def where(self, keep: Callable[[Record], bool]) -> "Dataset":
        """The records for which `keep` is true, as a data set."""
        return dataclasses.replace(self, records=tuple(record for record in self.records if keep(record)))

    def by_frame(self) -> "Dataset":
        """Each frame with labels of its own as a record of its own."""
        frames = (record.frame_record(frame) for record in self.records for frame in range(len(record.frames)))
        return dataclasses.replace(self, records=tuple(frames))

    def read(self, record: Record) -> Mesh | FrameFolder:
        """The mesh of a scan with texture and landmarks, or the frames of a sequence, read when asked for."""
        return self.read_sequence(record) if record.is_sequence else self.read_frame(record)

    def read_sequence(self, record: Record) -> FrameFolder:
        """The frames of a record, each with its own topology. Landmarks come with `read_frame` only."""
        paths = tuple(self.path_of(frame) for frame in record.frames)
        fps = {} if record.fps is None else {"fps": record.fps}
        return FrameFolder(paths[0].parent, paths, tuple(range(len(paths))), **fps)

    def read_frame(self, record: Record, frame: int = 0) -> Mesh:
        """One frame with its landmarks, and with the record's texture where the mesh file leads to none."""
        mesh = read_mesh(self.path_of(record.frames[frame]))
        texture = record.textures[frame] if record.textures else None
        if mesh.texture is None and mesh.uv is not None and texture is not None:
            path = self.path_of(texture)
            mesh = dataclasses.replace(mesh, texture=decode_texture(path.read_bytes(), str(path)))
        landmarks = self.read_landmarks(record, frame)
        return mesh if landmarks is None else dataclasses.replace(mesh, landmarks=landmarks)

    def read_landmarks(self, record: Record, frame: int = 0) -> Landmarks | None:
        """The landmarks of one frame; None where the data set has none for it."""
        path = record.landmarks[frame] if record.landmarks else None
        return None if path is None else read_landmarks(self.path_of(path))

    def path_of(self, relative: str) -> Path:
        """Where a file of a record lies.

        Raises:
            MeshError: for a path that leaves the data set's folder; tables may come from strangers.
        """
        parts = relative.split("/")
        if not relative or "\\" in relative or "\0" in relative or ".." in parts or Path(relative).is_absolute():
            raise MeshError(f"data set {self.kind}: {relative!r} leaves the data set's folder")
        return self.root.joinpath(*parts)

    def columns(self) -> dict[str, list]:
        """The table: one list per field of Record, one entry per record."""
        return {name: [getattr(record, name) for record in self.records] for name in FIELDS}

    def digest(self) -> str:
        """SHA-256 of all records: two copies with the same files and labels have the same one."""
        text = json.dumps([self.kind, [[getattr(r, name) for name in FIELDS] for r in self.records]], default=dict)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_parquet(self, path: str | PathLike[str]) -> str:
        """Write the table, and its SHA-256 beside it as PATH.sha256; returns the hash."""
        from mesh4d.datasets.parquet import write_table

        return write_table(self, Path(path))

    @classmethod
    def from_parquet(cls, path: str | PathLike[str], root: str | PathLike[str]) -> "Dataset":
        """Read a table that `to_parquet` wrote, for a copy of the data set at `root`.

        Raises:
            MeshFormatError: a file that is no such table, or that does not match the hash beside it.
        """
        from mesh4d.datasets.parquet import read_table

        kind, records = read_table(Path(path))
        return cls(kind, Path(root), records)
