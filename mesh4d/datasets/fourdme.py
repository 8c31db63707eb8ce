"""4DME: micro- and macro-expressions in 4D.

How its meshes are named and what type they are is NOT known to us, so that the layout is a pattern that you give;
nothing here claims to be the distribution's. What is known is the label table of the micro clips (columns sub_ID,
fold_name, Emotion, Onset, Apex, Offset, AUs), read by a public loader: unit tokens with a letter in brackets, such as
`12(k)`, are uncertain and become unknown, and that loader swaps the units of two rows (see `swapped_rows`).
Categories are positive, negative, surprise, repression and others; a clip can have several.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.labels import find_label
from mesh4d.datasets.layout import Findings, gaps, nothing_found, relative
from mesh4d.datasets.problems import error, note, strays
from mesh4d.datasets.record import Record
from mesh4d.datasets.spreadsheet import Row, read_spreadsheet
from mesh4d.errors import MeshError
from mesh4d.io.sources import MissingFileError

KIND = "4dme"
PATTERN = "{subject}/{clip}/{frame}.obj"
TABLES = (".xlsx", ".csv")
COLUMNS = ("sub_ID", "fold_name", "Emotion", "Onset", "Apex", "Offset", "AUs")
MOST_LEVELS = 8
UNIT_TOKEN = re.compile(r"(?P<side>[LR]?)(?:AU)?(?P<number>\d{1,2})(?P<doubt>\([^)]*\))?", re.IGNORECASE)

Clip = tuple[str, str]
"""Subject and clip name, as in the folders."""


@dataclass(frozen=True)
class ClipLabel:
    """One row of the label table."""

    emotions: tuple[str, ...]
    au_labels: dict[str, float | None]
    onset: int | None
    apex: int | None
    offset: int | None


def index_fourdme(
    root: Path,
    *,
    pattern: str = PATTERN,
    labels: str | None = None,
    fps: float = 60.0,
    swapped_rows: tuple[int, int] | None = None,
    clips: str = "micro",
) -> Dataset:
    """One record per clip that has meshes; a clip without a row in the table has the label "".

    Args:
        root: the folder that the pattern starts from.
        pattern: path of a frame below `root`; {subject}, {clip} and {frame} (digits) stand for its parts, such as
            "{subject}/{clip}/{frame}.obj". Other text is literal, * stands for anything within a name.
        labels: the label table (.xlsx or .csv) below `root`; by default the only one that lies there.
        fps: frames per second. That the meshes have 60 is from memory, not from a document.
        swapped_rows: two rows of the table (the first below the header is 0) whose units are exchanged on reading.
            A public loader does so for 144 and 145; compare your release before you do.
        clips: what the clips are; becomes `task`.
    """
    if not root.is_dir():
        raise MissingFileError(f"{root}: no such folder")
    findings = Findings()
    frames = _frames(root, compiled_pattern(pattern), findings)
    table = _label_table(root, labels)
    rows = {} if table is None else _clip_labels(table, swapped_rows, findings)
    if table is not None:
        findings.strays = [path for path in findings.strays if path != relative(table, root)]
    records = [_record(clip, numbers, rows.get(clip), root, fps, clips, findings) for clip, numbers in frames.items()]
    if not records:
        raise nothing_found(root, f"meshes at {pattern} (pass `pattern` for your copy)")
    for subject, clip in sorted(set(rows) - set(frames)):
        findings.problems.append(note("missing", f"{subject}/{clip}", "labelled, but no meshes at the pattern"))
    unlabelled = len(set(frames) - set(rows))
    if unlabelled:
        findings.problems.append(note("missing", ".", f"{unlabelled} clips have no row in a label table"))
    findings.problems.append(note("unverified", ".", f"the mesh layout is your pattern {pattern!r}, not a known one"))
    return Dataset(KIND, root, tuple(records), (*findings.problems, *strays(findings.strays)))


def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """The pattern of frame paths as a regular expression with the groups subject, clip and frame.

    Raises:
        MeshError: when it lacks one of the three.
    """
    parts: list[str] = []
    seen: set[str] = set()
    for text in re.split(r"(\{[a-z]+\}|\*)", pattern):
        name = text.strip("{}")
        if text == "*":
            parts.append("[^/]*")
        elif text != f"{{{name}}}":
            parts.append(re.escape(text))
        elif name not in ("subject", "clip", "frame"):
            raise MeshError(f"pattern {pattern!r}: expected {{subject}}, {{clip}} and {{frame}}, found {text}")
        elif name in seen:
            parts.append(f"(?P={name})")
        else:
            seen.add(name)
            parts.append(f"(?P<{name}>{'[0-9]{1,9}' if name == 'frame' else '[^/]+'})")
    if seen != {"subject", "clip", "frame"}:
        raise MeshError(f"pattern {pattern!r}: expected {{subject}}, {{clip}} and {{frame}}, found {sorted(seen)}")
    return re.compile("".join(parts))


def _frames(root: Path, pattern: re.Pattern[str], findings: Findings) -> dict[Clip, dict[int, Path]]:
    """The frames of each clip by number."""
    found: dict[Clip, dict[int, Path]] = {}
    for path in _files(root):
        match = pattern.fullmatch(relative(path, root))
        if match is None:
            findings.strays.append(relative(path, root))
            continue
        clip = found.setdefault((match["subject"], match["clip"]), {})
        other = clip.setdefault(int(match["frame"]), path)
        if other != path:
            message = f"frame {int(match['frame'])} is also {other.name}"
            findings.problems.append(error("contradiction", relative(path, root), message))
    return {clip: dict(sorted(numbers.items())) for clip, numbers in sorted(found.items())}


def _files(folder: Path, level: int = 0) -> Iterable[Path]:
    """All files below a folder, not deeper than a data set can be (links could go round in a circle)."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and level < MOST_LEVELS:
            yield from _files(path, level + 1)
        elif path.is_file():
            yield path


def _label_table(root: Path, labels: str | None) -> Path | None:
    if labels is not None:
        path = root / labels
        if not path.is_file():
            raise MissingFileError(f"{path}: no such label table")
        return path
    tables = [path for path in sorted(root.iterdir()) if path.suffix.lower() in TABLES and path.is_file()]
    if len(tables) > 1:
        raise MeshError(f"{root}: several label tables ({', '.join(p.name for p in tables)}): pass `labels`")
    return tables[0] if tables else None


def _clip_labels(table: Path, swapped: tuple[int, int] | None, findings: Findings) -> dict[Clip, ClipLabel]:
    rows = read_spreadsheet(table, COLUMNS)
    if swapped is not None:
        first, second = swapped
        if not (0 <= first < len(rows) and 0 <= second < len(rows)):
            raise MeshError(f"{table}: swapped_rows {swapped} are not among its {len(rows)} rows")
        exchanged = {first: rows[second].cells["AUs"], second: rows[first].cells["AUs"]}
        rows = [Row(r.number, {**r.cells, "AUs": exchanged.get(n, r.cells["AUs"])}) for n, r in enumerate(rows)]
    labels: dict[Clip, ClipLabel] = {}
    for row in rows:
        clip, place = (row.cells["sub_ID"], row.cells["fold_name"]), f"{table.name} row {row.number}"
        if clip in labels:
            findings.problems.append(error("contradiction", place, f"{'/'.join(clip)} has a row already"))
            continue
        try:
            labels[clip] = _clip_label(row)
        except ValueError as failure:
            findings.problems.append(error("contradiction", place, str(failure)))
    return labels


def _clip_label(row: Row) -> ClipLabel:
    emotions = tuple(part.lower() for part in re.split(r"[\s,;/+&]+", row.cells["Emotion"]) if part)
    onset, apex, offset = (_frame_number(row.cells[name], name) for name in ("Onset", "Apex", "Offset"))
    known = [place for place in (onset, apex, offset) if place is not None]
    if known != sorted(known):
        raise MeshError(f"expected onset <= apex <= offset, found {onset}, {apex}, {offset}")
    return ClipLabel(emotions, unit_tokens(row.cells["AUs"]), onset, apex, offset)


def unit_tokens(text: str) -> dict[str, float | None]:
    """Units of a cell such as "4+7", "L12, 14(k)"; a unit with something in brackets is uncertain: None.

    Raises:
        MeshError: for a token that is no unit.
    """
    units: dict[str, float | None] = {}
    for token in re.split(r"[\s,;/+&]+", text):
        match = UNIT_TOKEN.fullmatch(token)
        if match:
            units[f"AU{int(match['number'])}{match['side'].upper()}"] = None if match["doubt"] else 1.0
        elif token.casefold() not in ("", "none", "nan", "-", "n"):
            raise MeshError(f"expected action units such as 4+12(k), found {text[:40]!r}")
    return units


def _frame_number(text: str, name: str) -> int | None:
    if text.casefold() in ("", "nan", "-", "none", "/"):
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError) as failure:
        raise MeshError(f"expected a frame number for {name}, found {text[:20]!r}") from failure


def _record(
    clip: Clip, frames: dict[int, Path], label: ClipLabel | None, root: Path, fps: float, task: str, findings: Findings
) -> Record:
    place, numbers = "/".join(clip), list(frames)
    findings.problems += gaps(numbers, place)
    onset, apex, offset = (
        None if label is None else _position(getattr(label, name), name, numbers, place, findings)
        for name in ("onset", "apex", "offset")
    )
    emotions = () if label is None else label.emotions
    return Record(
        dataset=KIND,
        name=place,
        subject=clip[0],
        frames=tuple(relative(path, root) for path in frames.values()),
        source_label="+".join(emotions),
        expression=find_label(emotions[0], KIND) if len(emotions) == 1 else None,
        au_labels={} if label is None else label.au_labels,
        fps=fps,
        onset=onset,
        apex=apex,
        offset=offset,
        task=task,
    )


def _position(number: int | None, name: str, numbers: list[int], place: str, findings: Findings) -> int | None:
    """Where the frame of that number stands in a clip; None, and a note, when it is not there."""
    if number is None or number in numbers:
        return None if number is None else numbers.index(number)
    findings.problems.append(note("missing", place, f"{name} is frame {number}, which has no mesh"))
    return None
