"""A data set's table as a Parquet file with its hash beside it."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mesh4d.datasets.dataset import FIELDS, Dataset
from mesh4d.datasets.record import Record
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import expansion_limit, read_bytes, write_bytes

STRINGS = pa.list_(pa.string())
SCHEMA = pa.schema(
    {
        "dataset": pa.string(),
        "name": pa.string(),
        "subject": pa.string(),
        "frames": STRINGS,
        "source_label": pa.string(),
        "expression": pa.string(),
        "au_labels": pa.map_(pa.string(), pa.float64()),
        "au_frames": pa.map_(pa.string(), pa.list_(pa.float64())),
        "level": pa.int64(),
        "intensity": pa.float64(),
        "fps": pa.float64(),
        "textures": STRINGS,
        "landmarks": STRINGS,
        "onset": pa.int64(),
        "apex": pa.int64(),
        "offset": pa.int64(),
        "task": pa.string(),
        "caption": pa.string(),
    }
)
MAPS = ("au_labels", "au_frames")
TUPLES = ("frames", "textures", "landmarks")
REQUIRED = ("dataset", "name", "subject", "frames", "source_label")


def write_table(dataset: Dataset, path: Path) -> str:
    """Write records and, as PATH.sha256 (as sha256sum writes it), the hash of the file; returns the hash."""
    columns = dataset.columns()
    arrays = {
        name: [list(dict(v).items()) for v in columns[name]] if name in MAPS else columns[name] for name in FIELDS
    }
    table = pa.table(arrays, schema=SCHEMA).replace_schema_metadata({"kind": dataset.kind, "digest": dataset.digest()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    digest = hashlib.sha256(content).hexdigest()
    write_bytes(path, content)
    write_bytes(_hash_file(path), f"{digest}  {path.name}\n".encode())
    return digest


def read_table(path: Path) -> tuple[str, tuple[Record, ...]]:
    """The kind and the records of a table.

    Raises:
        MeshFormatError: a file that is no such table, or that does not match the hash beside it.
    """
    content = read_bytes(path)
    _check_hash(path, content)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        meta = file.metadata
        grown = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
        if grown > expansion_limit(len(content)):
            raise MeshFormatError(path, "row groups", f"at most {expansion_limit(len(content))} bytes", str(grown))
        schema = file.schema_arrow
        if schema.names != SCHEMA.names or any(schema.field(n).type != SCHEMA.field(n).type for n in SCHEMA.names):
            raise MeshFormatError(path, "schema", f"columns {SCHEMA.names} of a record table", str(schema.names[:20]))
        rows = file.read().to_pylist()
        metadata = schema.metadata or {}
    except (pa.ArrowException, OSError, OverflowError, UnicodeDecodeError) as error:
        raise MeshFormatError(path, "file", "a Parquet table of records", str(error)[:200]) from error
    kind = metadata.get(b"kind", b"").decode("utf-8", "replace")
    if not kind:
        raise MeshFormatError(path, "metadata", "the kind of data set", "none")
    return kind, tuple(_record(path, number, row) for number, row in enumerate(rows))


def _record(path: Path, number: int, row: dict) -> Record:
    absent = [name for name in REQUIRED if row[name] is None]
    if absent:
        raise MeshFormatError(path, f"row {number}", f"a value for {', '.join(absent)}", "none")
    values = {**row, **{name: tuple(row[name] or ()) for name in TUPLES}}
    values["au_labels"] = dict(row["au_labels"] or ())
    values["au_frames"] = {unit: tuple(frames or ()) for unit, frames in row["au_frames"] or ()}
    try:
        return Record(**values)
    except MeshError as error:
        raise MeshFormatError(path, f"row {number}", "a consistent record", str(error)) from error


def _hash_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _check_hash(path: Path, content: bytes) -> None:
    beside = _hash_file(path)
    if not beside.is_file():
        return
    expected = read_bytes(beside)[:200].decode("ascii", "replace").split()[:1]
    found = hashlib.sha256(content).hexdigest()
    if expected != [found]:
        raise MeshFormatError(path, "file", f"the hash in {beside.name} ({expected[:1]})", found)
