"""Synthetic: the layout in which this toolkit writes labelled faces.

`labels.csv` has a row per record: name, subject, expression, intensity, fps, path, then one column per action unit or
half of one (empty = unknown), and where they are known onset, apex and offset (positions among the frames, from 0),
part (of a split over subjects) and caption. `path` is a mesh, or a folder of numbered meshes for a sequence, which then
has an fps. `frames.csv` in the folder of a sequence has a row per frame: frame number, then unit columns.
"""

import csv
import math
from pathlib import Path

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.labels import find_label
from mesh4d.datasets.layout import Findings, entries, gaps, nothing_found, numbered_files, relative
from mesh4d.datasets.problems import error, strays
from mesh4d.datasets.record import Record
from mesh4d.datasets.spreadsheet import Row, read_spreadsheet
from mesh4d.errors import MeshError
from mesh4d.io.sources import MissingFileError, file_inside, read_bytes

KIND = "synthetic"
TABLE = "labels.csv"
FRAME_TABLE = "frames.csv"
COLUMNS = ("name", "subject", "expression", "intensity", "fps", "path")
OPTIONAL = ("onset", "apex", "offset", "part", "caption")
MESH_SUFFIXES = (".npz", ".obj", ".ply", ".glb", ".wrl")


def index_synthetic(root: Path) -> Dataset:
    """One record per row of labels.csv.

    Args:
        root: the folder that holds labels.csv.
    """
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    table = root / TABLE
    if not table.is_file():
        raise nothing_found(root, TABLE)
    findings = Findings()
    optional = tuple(name for name in _header(table) if name in OPTIONAL)
    rows = read_spreadsheet(table, (*COLUMNS, *optional, *unit_columns(table)))
    records: dict[str, Record] = {}
    for row in rows:
        place = f"{TABLE} row {row.number}"
        if row.cells["name"] in records:
            findings.problems.append(error("contradiction", place, f"a second row for {row.cells['name']!r}"))
            continue
        try:
            records[row.cells["name"]] = _record(row, root, findings)
        except MeshError as failure:
            findings.problems.append(error("contradiction", place, str(failure)))
    if not rows:
        raise nothing_found(root, f"rows in {TABLE}")
    return Dataset(KIND, root, tuple(records.values()), (*findings.problems, *strays(findings.strays)))


def unit_columns(table: Path) -> tuple[str, ...]:
    """The columns of a table that are called AU1, AU12L, ..."""
    return tuple(name for name in _header(table) if name.upper().startswith("AU"))


def _header(table: Path) -> list[str]:
    first = read_bytes(table)[:100_000].decode("utf-8-sig", "replace").splitlines()[:1]
    return [name.strip() for name in next(csv.reader(first), [])]


def _record(row: Row, root: Path, findings: Findings) -> Record:
    cells = row.cells
    expression = find_label(cells["expression"], KIND)
    if expression is None and cells["expression"]:
        raise MeshError(f"expected a canonical expression or nothing, found {cells['expression']!r}")
    fps = _number(cells["fps"], "fps")
    path = root / cells["path"]
    if not cells["path"] or ".." in Path(cells["path"]).parts or Path(cells["path"]).is_absolute():
        raise MeshError(f"path {cells['path']!r} leaves the data set's folder")
    units = {name: _number(text, name) for name, text in cells.items() if name not in (*COLUMNS, *OPTIONAL)}
    au_frames: dict[str, tuple[float | None, ...]] = {}
    if fps is None:
        if file_inside(root, cells["path"]) != path.resolve():
            raise MeshError(f"no mesh {cells['path']}")
        frames = (cells["path"],)
    else:
        frames, au_frames = _frames(path, root, findings)
    return Record(
        dataset=KIND,
        name=cells["name"],
        subject=cells["subject"],
        frames=frames,
        source_label=cells["expression"],
        expression=expression,
        au_labels={} if au_frames else units,
        au_frames=au_frames,
        intensity=_number(cells["intensity"], "intensity"),
        fps=fps,
        onset=_place(cells, "onset"),
        apex=_place(cells, "apex"),
        offset=_place(cells, "offset"),
        task=cells.get("part") or None,
        caption=cells.get("caption") or None,
    )


def _frames(
    folder: Path, root: Path, findings: Findings
) -> tuple[tuple[str, ...], dict[str, tuple[float | None, ...]]]:
    """The frames of a sequence, and the values of its units at each where a table has them."""
    if not folder.is_dir():
        raise MeshError(f"no folder {relative(folder, root)}")
    inner = Findings()
    meshes = numbered_files(folder, root, MESH_SUFFIXES, inner).of(*MESH_SUFFIXES)
    findings.problems += inner.problems + gaps(meshes, relative(folder, root))
    findings.strays += [path for path in inner.strays if not path.endswith(FRAME_TABLE)]
    if not meshes:
        raise MeshError(f"no numbered meshes in {relative(folder, root)}")
    frames = tuple(relative(path, root) for path in meshes.values())
    table = folder / FRAME_TABLE
    if table not in entries(folder):
        return frames, {}
    units = unit_columns(table)
    rows = {_number(row.cells["frame"], "frame"): row.cells for row in read_spreadsheet(table, ("frame", *units))}
    values = {
        unit: tuple(_number(rows[number][unit], unit) if number in rows else None for number in meshes)
        for unit in units
    }
    return frames, values


def _place(cells: dict[str, str], name: str) -> int | None:
    """The position of a frame, where the table has it."""
    value = _number(cells.get(name, ""), name)
    if value is not None and value != int(value):
        raise MeshError(f"expected the position of a frame for {name}, found {cells[name][:20]!r}")
    return None if value is None else int(value)


def _number(text: str, name: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as failure:
        raise MeshError(f"expected a number for {name}, found {text[:20]!r}") from failure
    if not math.isfinite(value):
        raise MeshError(f"expected a finite number for {name}, found {text[:20]!r}")
    return value
