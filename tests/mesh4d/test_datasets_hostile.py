"""Broken label tables and record tables: an error that names the file, nothing else."""

import zipfile

import numpy as np
import pytest

from mesh4d.datasets.au_coding import read_intensity_coding, read_occurrence_coding
from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.fourdme import COLUMNS
from mesh4d.datasets.registry import open_dataset
from mesh4d.datasets.spreadsheet import read_spreadsheet
from mesh4d.errors import MeshError, MeshFormatError

CASES = 150


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content cut, with flipped bits, or with a piece said twice."""
    data = bytearray(content)
    match rng.integers(3):
        case 0:
            return bytes(data[: rng.integers(len(data))])
        case 1:
            for _ in range(rng.integers(1, 8)):
                data[rng.integers(len(data))] ^= 1 << rng.integers(8)
            return bytes(data)
    start, stop = sorted(rng.integers(len(data), size=2))
    return bytes(data[:stop] + data[start:])


def survives(read, path, content, rng):
    """Read mutated copies; only a MeshError may come out."""
    refused = 0
    for _ in range(CASES):
        path.write_bytes(mutated(content, rng))
        try:
            read(path)
        except MeshError:
            refused += 1
    assert refused > 0


def test_broken_codings(mimic, tmp_path):
    rng = np.random.default_rng(0)
    occurrence = next((mimic("bp4d") / "AUCoding" / "AU_OCC").glob("*.csv")).read_bytes()
    survives(read_occurrence_coding, tmp_path / "a.csv", occurrence, rng)
    intensity = next((mimic("bp4d") / "AUCoding" / "AU_INT" / "AU06").glob("*.csv")).read_bytes()
    survives(read_intensity_coding, tmp_path / "b.csv", intensity, rng)


def test_broken_workbooks(mimic, tmp_path):
    book = next(mimic("4dme").glob("*.xlsx")).read_bytes()
    survives(lambda path: read_spreadsheet(path, COLUMNS), tmp_path / "a.xlsx", book, np.random.default_rng(1))


def test_broken_record_tables(mimic, tmp_path):
    path = tmp_path / "t.parquet"
    open_dataset("bp4d", mimic("bp4d")).to_parquet(path)
    (tmp_path / "t.parquet.sha256").unlink()
    survives(lambda p: Dataset.from_parquet(p, tmp_path), path, path.read_bytes(), np.random.default_rng(2))


def test_a_workbook_that_grows_without_bound_is_refused(tmp_path):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(200 << 20))
    with pytest.raises(MeshFormatError, match="archive"):
        read_spreadsheet(path, COLUMNS)


def test_a_number_far_away_is_no_list_of_gaps(tmp_path):
    for number in (1, 2, 999_999_999):
        (tmp_path / "F001" / "Happy").mkdir(parents=True, exist_ok=True)
        (tmp_path / "F001" / "Happy" / f"{number}.wrl").write_bytes(b"")
    messages = [problem.message for problem in open_dataset("bu4dfe", tmp_path).problems]
    assert "frame numbers leap from 1 to 999999999" in messages


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "S1" / "a").mkdir(parents=True)
    (tmp_path / "S1" / "a" / "1.obj").write_bytes(b"")
    (tmp_path / "S1" / "again").symlink_to(tmp_path)
    assert {record.name for record in open_dataset("4dme", tmp_path)} == {"S1/a"}
