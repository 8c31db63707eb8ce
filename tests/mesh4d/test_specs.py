import json

import pytest

from mesh4d import SpecError, SplitError
from mesh4d import specs as specs_module
from mesh4d.datasets.splits import prove_disjoint
from mesh4d.specs import load_split, load_toml


def test_a_subject_in_two_parts_is_named():
    with pytest.raises(SplitError, match=r"'F003'.*'train'.*'test'"):
        prove_disjoint({"train": ["F001", "F003"], "test": ["F003"]})
    with pytest.raises(SplitError, match="7"):
        prove_disjoint({"train": [7, 7]})


def test_the_proof_counts():
    assert prove_disjoint({"train": [1, 2], "test": [3]}) == "3 subjects, each in exactly one part (train 2, test 1)"


def test_a_leaking_split_file_cannot_be_loaded(tmp_path, monkeypatch):
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/leaky.json").write_text(json.dumps({"parts": {"train": [1, 2], "test": [2]}}))
    monkeypatch.setattr(specs_module, "specs_folder", lambda: tmp_path)
    with pytest.raises(SplitError, match="subject 2"):
        load_split.__wrapped__("leaky")


def test_missing_and_broken_tables(tmp_path, monkeypatch):
    with pytest.raises(SpecError, match="nothing_here"):
        load_toml("nothing_here")
    monkeypatch.setattr(specs_module, "specs_folder", lambda: tmp_path)
    (tmp_path / "bad.toml").write_text("a = [1,")
    with pytest.raises(SpecError, match=r"bad\.toml"):
        load_toml.__wrapped__("bad")
