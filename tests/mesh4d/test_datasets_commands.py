"""The commands, run as a user runs them."""

import json
import subprocess
import sys

import pytest

from mesh4d.cli import main
from mesh4d.datasets.commands import options_of
from mesh4d.errors import MeshError


def run(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["mesh4d", *map(str, arguments)])
    main()
    return capsys.readouterr().out


def test_validate_index_and_protocol(mimic, tmp_path, capsys, monkeypatch):
    root = mimic("bu3dfe")
    assert "problems: 0 errors" in run(capsys, monkeypatch, "dataset", "validate", "bu3dfe", root)
    report = json.loads(
        run(capsys, monkeypatch, "--json", "dataset", "validate", "bu3dfe", root, "--option", "mesh=RAW")
    )
    assert report["details"]["records"] == 39
    table = tmp_path / "t.parquet"
    run(capsys, monkeypatch, "dataset", "index", "bu3dfe", root, "-o", table)
    digest, name = table.with_name("t.parquet.sha256").read_text().split()
    assert (len(digest), name) == (64, "t.parquet")
    text = run(capsys, monkeypatch, "dataset", "protocol", "bu3dfe-p1", "bu3dfe", root, "--reduced", "--repeats", "1")
    assert "each in exactly one part" in text and "unverified: " in text


def test_too_few_subjects_end_in_one_line(mimic, capsys, monkeypatch):
    with pytest.raises(SystemExit) as caught:
        run(capsys, monkeypatch, "dataset", "protocol", "bu3dfe-p1", "bu3dfe", mimic("bu3dfe"))
    assert caught.value.code == 2
    assert "expected 60 subjects" in capsys.readouterr().err


def test_options():
    assert options_of(("mesh=RAW", "fps=59.94", "swapped_rows=144,145", "frame_offset=-1")) == {
        "mesh": "RAW", "fps": 59.94, "swapped_rows": (144, 145), "frame_offset": -1,
    }  # fmt: skip
    with pytest.raises(MeshError, match="NAME=VALUE"):
        options_of(("mesh",))


def test_indexing_does_not_load_the_heads():
    code = "import sys, mesh4d.datasets.registry; print([m for m in ('aublend', 'torch', 'anny') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
