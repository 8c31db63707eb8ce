"""Phone times in files: TextGrids, MFA's CSV, rows of start, end, phone (CSV, TSV, text, JSON); ARPAbet or IPA."""

import csv
import io
import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from aublend.speech.phones import Phone, phones_from_symbol
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.atomic import atomic_write

LARGEST_BYTES = 50_000_000
MOST_ROWS = 500_000
PHONE_COLUMNS = ("phone", "phoneme", "symbol", "label", "ph")
START_COLUMNS = ("start", "begin", "start_s", "xmin", "t0")
END_COLUMNS = ("end", "stop", "end_s", "xmax", "t1")


def read_phones(path: str | PathLike[str]) -> tuple[Phone, ...]:
    """Read phone times.

    .TextGrid: the tier whose name has "phone" or "segment" in it, else the last one; a tier named "word" gives words.
    .csv, .tsv, .txt: with a header that names start, end and phone (MFA's Begin, End, Label, Type included), or bare
    rows `start end phone`. .json: a list of such rows as objects, or under "phones". Symbols are ARPAbet or IPA.

    Raises:
        MeshFormatError: names the line or row that is wrong.
    """
    path = Path(path)
    if path.stat().st_size > LARGEST_BYTES:
        raise MeshFormatError(path, "size", f"at most {LARGEST_BYTES} bytes", str(path.stat().st_size))
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise MeshFormatError(path, "encoding", "UTF-8 or UTF-16", str(error)[:80]) from error
    if "TextGrid" in text[:200] or "ooTextFile" in text[:200]:
        return _from_textgrid(path, text)
    if path.suffix.lower() == ".json":
        return _from_json(path, text)
    return _from_rows(path, text)


def write_phones(phones: Sequence[Phone], path: str | PathLike[str]) -> None:
    """Write phone times: a TextGrid with tiers "words" and "phones", or rows `start,end,phone,word` (.csv).

    Raises:
        MeshError: for another suffix.
    """
    path = Path(path)
    if path.suffix.lower() == ".textgrid":
        text = _textgrid(phones)
    elif path.suffix.lower() == ".csv":
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(("start", "end", "phone", "word", "confidence"))
        for p in phones:
            writer.writerow((f"{p.start_s:.4f}", f"{p.end_s:.4f}", p.symbol, p.word, f"{p.confidence:.2f}"))
        text = buffer.getvalue()
    else:
        raise MeshError(f"{path}: expected .TextGrid or .csv for phones, found {path.suffix!r}")
    with atomic_write(path, text=True) as file:
        file.write(text)


def _row_phones(path: Path, place: str, start: object, end: object, symbol: object, word: str = "") -> list[Phone]:
    """The phones of one row; symbols that stand for two sounds share its span."""
    try:
        a, b = float(start), float(end)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError) as error:
        raise MeshFormatError(path, place, "start and end in seconds", f"{start!r}, {end!r}") from error
    try:
        names = phones_from_symbol(str(symbol))
        step = (b - a) / len(names)
        return [
            Phone(name, max(a + row * step, 0.0), max(a + (row + 1) * step, 0.0), word, stress)
            for row, (name, stress) in enumerate(names)
        ]
    except MeshError as error:
        raise MeshFormatError(path, place, "a phone with start <= end", str(error)) from error


def _from_rows(path: Path, text: str) -> tuple[Phone, ...]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or len(lines) > MOST_ROWS:
        raise MeshFormatError(path, "rows", f"1 to {MOST_ROWS}", str(len(lines)))
    delimiter = "," if "," in lines[0] else "\t" if "\t" in lines[0] else None
    table = list(csv.reader(lines, delimiter=delimiter)) if delimiter else [line.split() for line in lines]
    header = [cell.strip().lower() for cell in table[0]]
    columns = [
        next((header.index(n) for n in names if n in header), None)
        for names in (START_COLUMNS, END_COLUMNS, PHONE_COLUMNS)
    ]
    if any(column is not None for column in columns):
        if None in columns:
            raise MeshFormatError(path, "header", "columns start, end and phone", ", ".join(header)[:120])
        body, kind = table[1:], header.index("type") if "type" in header else None
    else:
        body, kind, columns = table, None, [0, 1, 2]
    phones: list[Phone] = []
    for number, row in enumerate(body, start=len(table) - len(body) + 1):
        if kind is not None and len(row) > kind and not row[kind].strip().lower().startswith("phone"):
            continue
        if len(row) <= max(c for c in columns if c is not None):
            raise MeshFormatError(path, f"row {number}", "start, end, phone", " ".join(row)[:80])
        start, end, symbol = (row[c] for c in columns if c is not None)
        phones += _row_phones(path, f"row {number}", start, end, symbol)
    return _ordered(path, phones)


def _from_json(path: Path, text: str) -> tuple[Phone, ...]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MeshFormatError(path, "JSON", "a list of phones", str(error)[:120]) from error
    rows = content.get("phones", content.get("segments")) if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows or len(rows) > MOST_ROWS:
        raise MeshFormatError(path, "phones", f"a list of 1 to {MOST_ROWS} rows", type(rows).__name__)
    phones: list[Phone] = []
    for number, row in enumerate(rows):
        if isinstance(row, dict):
            cells = [
                next((row[n] for n in names if n in row), None) for names in (START_COLUMNS, END_COLUMNS, PHONE_COLUMNS)
            ]
        elif isinstance(row, list) and len(row) >= 3:
            cells = row[:3] if isinstance(row[2], str) else [row[1], row[2], row[0]]
        else:
            raise MeshFormatError(path, f"phones[{number}]", "an object or [start, end, phone]", repr(row)[:80])
        phones += _row_phones(path, f"phones[{number}]", cells[0], cells[1], cells[2])
    return _ordered(path, phones)


def _from_textgrid(path: Path, text: str) -> tuple[Phone, ...]:
    """Long and short form alike: of both, only the strings and numbers count."""
    body = re.sub(r"^.*?<exists>", "", text, count=1, flags=re.DOTALL)
    found = re.findall(r'"((?:[^"]|"")*)"|(?<![\w\[.])(-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w\].])', body)
    tokens: list[str | float] = [float(number) if number else string for string, number in found]
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    place = next((i for i, token in enumerate(tokens) if token in ("IntervalTier", "TextTier")), len(tokens))
    while place + 5 <= len(tokens):
        kind, name, size = tokens[place], tokens[place + 1], tokens[place + 4]
        width = 3 if kind == "IntervalTier" else 2
        if not isinstance(size, float) or not 0 <= size <= MOST_ROWS or place + 5 + width * size > len(tokens):
            raise MeshFormatError(path, f"tier {str(name)[:40]!r}", "as many intervals as it says", str(size)[:20])
        cells = tokens[place + 5 : place + 5 + width * int(size)]
        place += 5 + width * int(size)
        if kind == "IntervalTier":
            rows = [tuple(cells[i : i + 3]) for i in range(0, len(cells), 3)]
            if any(isinstance(a, str) or isinstance(b, str) or not isinstance(c, str) for a, b, c in rows):
                raise MeshFormatError(
                    path, f"tier {str(name)[:40]!r}", "intervals of xmin, xmax, text", "something else"
                )
            tiers[str(name)] = rows  # pyright: ignore[reportArgumentType]
    if not tiers:
        raise MeshFormatError(path, "tiers", "an interval tier with phones", "none")
    chosen = next((n for n in tiers if re.search("phone|segment|mau", n, re.IGNORECASE)), list(tiers)[-1])
    words: list[tuple[float, float, str]] = next(
        (rows for n, rows in tiers.items() if "word" in n.lower() and n != chosen), []
    )
    phones: list[Phone] = []
    for number, (start, end, symbol) in enumerate(tiers[chosen], start=1):
        middle = (start + end) / 2
        word = next((w for a, b, w in words if a <= middle < b), "") if len(words) < 5000 else ""
        phones += _row_phones(path, f"tier {chosen!r}, interval {number}", start, end, symbol, word)
    return _ordered(path, phones)


def _ordered(path: Path, phones: list[Phone]) -> tuple[Phone, ...]:
    if not phones:
        raise MeshFormatError(path, "phones", "at least one", "none")
    return tuple(sorted(phones, key=lambda p: p.start_s))


def _textgrid(phones: Sequence[Phone]) -> str:
    end = max((p.end_s for p in phones), default=0.0)
    words: list[tuple[float, float, str]] = []
    for p in phones:
        if words and words[-1][2] == p.word and abs(words[-1][1] - p.start_s) < 1e-6:
            words[-1] = (words[-1][0], p.end_s, p.word)
        else:
            words.append((p.start_s, p.end_s, p.word))
    tiers = (
        ("words", words),
        ("phones", [(p.start_s, p.end_s, "" if p.symbol == "SIL" else p.symbol) for p in phones]),
    )
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, rows) in enumerate(tiers, start=1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end:.6f}", f"        intervals: size = {len(rows)}"]
        for row, (a, b, label) in enumerate(rows, start=1):
            lines += [f"        intervals [{row}]:", f"            xmin = {a:.6f}", f"            xmax = {b:.6f}"]
            quoted = label.replace('"', '""')
            lines.append(f'            text = "{quoted}"')
    return "\n".join(lines) + "\n"
