"""Landmarks as the data sets store them, one small text file per scan.

.lm3 and .lm2 (Bosphorus): labels with a point in millimetres or a pixel; missing points are absent and the order is
free, so points are found by label. "left" in a label is the PICTURE's left, the subject's right. .bnd (BU-3DFE,
BU-4DFE): 83 lines of vertex index and point. .pse (BU-3DFE): vertex index and point of 8 pose points. .txt: one point
a line (84 of them for the raw scans of BU-3DFE). Spaces, tabs, double tabs and CRLF are all read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.numbers import NumberError, floats
from mesh4d.io.sources import read_bytes, write_bytes
from mesh4d.mesh import Landmarks

BU_REGIONS = (("right eye", 8), ("left eye", 8), ("brow", 20), ("nose", 12), ("mouth", 20), ("contour", 15))
"""Runs of the 83 points of BU-3DFE and BU-4DFE; right and left are the subject's. BP4D orders its 83 differently."""
BND_POINTS = 83
LM3_TITLE, LM2_TITLE = "# 3D Landmark File", "# 2D Landmark File"
LM2_LABELS, LM2_PIXELS = "Labels:", "2D Image coordinates:"
MAX_POINTS = 10_000
Separator = Literal["tabs", "spaces"]


@dataclass(frozen=True)
class IndexedLandmarks:
    """Landmarks and the vertex of the scan's mesh at each; in BU-4DFE the index differs from frame to frame."""

    landmarks: Landmarks
    vertex_ids: Int[np.ndarray, " L"]


@dataclass(frozen=True)
class PictureLandmarks:
    """Named points on a picture: pixels from its upper left corner, x then y."""

    names: tuple[str, ...]
    points_px: Float[np.ndarray, "L 2"]


def bu_landmark_names() -> tuple[str, ...]:
    """Region and number, from 0, of each of the 83 points of BU-3DFE and BU-4DFE."""
    regions = [region for region, count in BU_REGIONS for _ in range(count)]
    return tuple(f"{region} {number}" for number, region in enumerate(regions))


def read_landmarks(path: str | PathLike[str]) -> Landmarks:
    """The points of a .lm3, .bnd, .pse or .txt file (or one with .gz).

    Raises:
        MeshFormatError: another suffix, or a file that is not what its format says.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() != ".gz"]
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in READERS:
        raise MeshFormatError(path, "suffix", f"one of {', '.join(READERS)}", repr(suffix))
    return READERS[suffix](path)


def read_lm3(path: str | PathLike[str]) -> Landmarks:
    """The labelled points of a Bosphorus .lm3 file, in its order.

    Raises:
        MeshFormatError: naming the line.
    """
    lines = _lines(path)
    count, start = _count(path, lines, "landmarks")
    rows = lines[start:]
    if len(rows) != 2 * count:
        raise _line_error(path, lines, start, f"{count} labels, each with a line x y z", f"{len(rows)} lines")
    names = [text for _, text in rows[0::2]]
    _check_names(path, names, rows[0::2])
    points = [_numbers(path, number, text, 3) for number, text in rows[1::2]]
    return Landmarks(tuple(names), np.array(points).reshape(-1, 3))


def read_lm2(path: str | PathLike[str]) -> PictureLandmarks:
    """The labelled pixels of a Bosphorus .lm2 file, in its order.

    Raises:
        MeshFormatError: naming the line.
    """
    lines = _lines(path)
    count, start = _count(path, lines, "landmarks")
    texts = [text for _, text in lines]
    if len(lines) != start + 2 * count + 2 or texts[start].rstrip(":") != LM2_LABELS.rstrip(":"):
        raise _line_error(path, lines, start, f"{LM2_LABELS}, {count} labels, {LM2_PIXELS}, {count} pixels", "others")
    if texts[start + count + 1].rstrip(":") != LM2_PIXELS.rstrip(":"):
        raise _line_error(path, lines, start + count + 1, LM2_PIXELS, repr(texts[start + count + 1][:40]))
    names = texts[start + 1 : start + count + 1]
    _check_names(path, names, lines[start + 1 :])
    pixels = [_numbers(path, number, text, 2) for number, text in lines[start + count + 2 :]]
    return PictureLandmarks(tuple(names), np.array(pixels).reshape(-1, 2))


def read_bnd(path: str | PathLike[str]) -> IndexedLandmarks:
    """The 83 points of a .bnd file of BU-3DFE or BU-4DFE, with the vertex of the mesh at each.

    Raises:
        MeshFormatError: naming the line.
    """
    return _indexed(path, BND_POINTS, bu_landmark_names())


def read_pse(path: str | PathLike[str]) -> IndexedLandmarks:
    """The pose points of a .pse file of BU-3DFE (8 of them), which belong to the RAW mesh.

    Raises:
        MeshFormatError: naming the line.
    """
    return _indexed(path, None, None)


def read_points(path: str | PathLike[str]) -> Landmarks:
    """Points `x y z`, one a line, named by their number from 0.

    Raises:
        MeshFormatError: naming the line.
    """
    points = [_numbers(path, number, text, 3) for number, text in _lines(path)]
    return Landmarks(tuple(map(str, range(len(points)))), np.array(points).reshape(-1, 3))


def _indexed(path: str | PathLike[str], count: int | None, names: tuple[str, ...] | None) -> IndexedLandmarks:
    lines = _lines(path)
    if count is not None and len(lines) != count:
        raise MeshFormatError(path, "file", f"{count} lines", f"{len(lines)}")
    rows = np.array([_numbers(path, number, text, 4) for number, text in lines]).reshape(-1, 4)
    bad = (rows[:, 0] != np.floor(rows[:, 0])) | (rows[:, 0] < 0) | (rows[:, 0] >= 2**31)
    if bad.any():
        row = int(np.argmax(bad))
        raise MeshFormatError(path, f"line {lines[row][0]}", "the index of a vertex first", f"{rows[row, 0]:g}")
    names = tuple(map(str, range(len(rows)))) if names is None else names
    return IndexedLandmarks(Landmarks(names, np.ascontiguousarray(rows[:, 1:])), rows[:, 0].astype(np.int64))


def _lines(path: str | PathLike[str]) -> list[tuple[int, str]]:
    """Number (from 1) and text of the lines that hold something."""
    data = read_bytes(path)
    if data.count(b"\n") + data.count(b"\r") > 8 * MAX_POINTS:
        raise MeshFormatError(path, "file", f"at most {MAX_POINTS} points", "more lines")
    text = data.decode("utf-8-sig", "replace")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise MeshFormatError(path, "file", "landmarks", "nothing")
    return lines


def _line_error(
    path: str | PathLike[str], lines: list[tuple[int, str]], at: int, expected: str, found: str
) -> MeshFormatError:
    number = lines[min(at, len(lines) - 1)][0]
    return MeshFormatError(path, f"line {number}", expected, found)


def _count(path: str | PathLike[str], lines: list[tuple[int, str]], word: str) -> tuple[int, int]:
    """The number in the line `22 landmarks` (with or without a colon), and which line follows it."""
    for at, (_, text) in enumerate(lines[:10]):
        words = text.rstrip(":").split()
        if len(words) == 2 and words[1].lower() == word and words[0].isdecimal() and len(words[0]) < 6:
            return int(words[0]), at + 1
        if not text.startswith("#"):
            break
    raise _line_error(path, lines, 1, f"a count of {word}", repr(lines[min(1, len(lines) - 1)][1][:40]))


def _check_names(path: str | PathLike[str], names: list[str], lines: list[tuple[int, str]]) -> None:
    seen: set[str] = set()
    for name, (number, _) in zip(names, lines, strict=False):
        if name in seen:
            raise MeshFormatError(path, f"line {number}", "different labels", f"{name[:40]!r} twice")
        seen.add(name)


def _numbers(path: str | PathLike[str], line: int, text: str, count: int) -> Float[np.ndarray, " count"]:
    try:
        numbers = floats(text.encode())
    except NumberError as error:
        raise MeshFormatError(path, f"line {line}", f"{count} numbers", repr(text[:40])) from error
    if len(numbers) != count:
        raise MeshFormatError(path, f"line {line}", f"{count} numbers", repr(text[:40]))
    return numbers


def write_lm3(landmarks: Landmarks, path: str | PathLike[str]) -> None:
    """Write a Bosphorus .lm3 file, exact numbers."""
    lines = [LM3_TITLE, "", f"{len(landmarks.names)} landmarks:", ""]
    for name, point in zip(landmarks.names, landmarks.points.tolist(), strict=True):
        lines += [_label(path, name), _row(point)]
    _write_lines(path, lines)


def write_lm2(landmarks: PictureLandmarks, path: str | PathLike[str]) -> None:
    """Write a Bosphorus .lm2 file, exact numbers."""
    names = [_label(path, name) for name in landmarks.names]
    lines = [LM2_TITLE, "", f"{len(names)} landmarks", "", LM2_LABELS, *names, "", LM2_PIXELS]
    _write_lines(path, [*lines, *map(_row, landmarks.points_px.tolist())])


def write_bnd(landmarks: IndexedLandmarks, path: str | PathLike[str], *, separator: Separator = "spaces") -> None:
    """Write a .bnd file: single spaces as in BU-4DFE, or the double tabs of BU-3DFE; 6 decimals as both have."""
    if len(landmarks.vertex_ids) != BND_POINTS:
        raise MeshError(f"{path}: a .bnd file has {BND_POINTS} points, found {len(landmarks.vertex_ids)}")
    _write_indexed(landmarks, path, "\t\t" if separator == "tabs" else " ")


def write_pse(landmarks: IndexedLandmarks, path: str | PathLike[str]) -> None:
    """Write a .pse file: vertex index and point of each pose point, 6 decimals."""
    _write_indexed(landmarks, path, " ")


def write_points(landmarks: Landmarks, path: str | PathLike[str]) -> None:
    """Write points `x y z`, one a line, exact numbers; names are lost."""
    _write_lines(path, list(map(_row, landmarks.points.tolist())))


def _write_indexed(landmarks: IndexedLandmarks, path: str | PathLike[str], separator: str) -> None:
    points = landmarks.landmarks.points.tolist()
    rows = [
        separator.join([str(vertex), *(f"{number:.6f}" for number in point)])
        for vertex, point in zip(landmarks.vertex_ids.tolist(), points, strict=True)
    ]
    _write_lines(path, rows)


def _label(path: str | PathLike[str], name: str) -> str:
    """The name, when it can stand as a line of its own.

    Raises:
        MeshError: an empty name or one of several lines.
    """
    if name != name.strip() or len(name.splitlines()) != 1:
        raise MeshError(f"{path}: a label must be one line of text, found {name!r}")
    return name


def _row(numbers: Sequence[float]) -> str:
    return " ".join(map(repr, numbers))


def _write_lines(path: str | PathLike[str], lines: list[str]) -> None:
    write_bytes(path, ("\n".join(lines) + "\n").encode())


READERS: dict[str, Callable[[str | PathLike[str]], Landmarks]] = {
    ".lm3": read_lm3,
    ".bnd": lambda path: read_bnd(path).landmarks,
    ".pse": lambda path: read_pse(path).landmarks,
    ".txt": read_points,
}
"""By suffix; .lm2 holds pixels and is read by `read_lm2`."""
