import re

import numpy as np
import pytest
from PIL import Image

from aublend import head_model
from aublend.action_unit_page import Extent, extent_of, unit_block, write_unit_page
from aublend.combinations import COMBINATIONS
from aublend.commands.page import Page
from aublend.embedded_gauge import embedded_skin
from aublend.unit_areas import area_masks, unit_areas
from aublend.units import ACTION_UNITS, AU_NAMES
from mesh4d.specs import load_split, specs_folder

DOCS = specs_folder().parent / "docs"


def test_committed_page_states_the_facts_as_they_are():
    """Regenerate with `aublend page units -o docs` where this fails."""
    page = (DOCS / "action_units.md").read_text(encoding="utf-8")
    for unit in ACTION_UNITS:
        block = unit_block(unit, Extent(0.0, {}))
        facts = [line for line in block.splitlines() if not line.startswith("- **Extent")]
        assert "\n".join(facts).strip() in page, unit.name
        assert unit.description in page and unit_areas()[unit.name].still in page
    for pair in COMBINATIONS:
        assert f"## {pair.name}\n" in page and pair.why in page
    linked = set(re.findall(r"\]\((pictures/[^)]+)\)", page))
    there = {f"pictures/{path.name}" for path in (DOCS / "pictures").iterdir()}
    assert linked == there and len(linked) == len(AU_NAMES) + len(COMBINATIONS)
    assert sum(path.stat().st_size for path in (DOCS / "pictures").iterdir()) < 3e6
    assert Page().seed in load_split("aublendset")["demo"]


def test_extent_of_a_known_motion():
    model = head_model()
    rig, skin = model.rig(Page().seed), embedded_skin(model)
    masks = area_masks(model.topology.vertices)
    delta = np.where((masks["lip"] == 1)[:, None], [0.0, 3.0, 4.0], 0.0)
    extent = extent_of(delta, rig, skin, masks)
    assert extent.most_mm == pytest.approx(5.0) and next(iter(extent.shares)) == "lip"
    assert extent.shares["lip"] == pytest.approx(1.0) and "brow" not in extent.shares
    assert str(extent).startswith("at most 5.0 mm; energy in lip 100 %")


def test_page_shows_what_units_do(tmp_path, monkeypatch):
    monkeypatch.setattr("aublend.action_unit_page.ACTION_UNITS", (ACTION_UNITS[AU_NAMES.index("AU12")],))
    monkeypatch.setattr("aublend.action_unit_page.COMBINATIONS", COMBINATIONS[:1])
    model = head_model()
    for name in ("a", "b"):
        write_unit_page(model, Page().seed, tmp_path / name)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    with Image.open(tmp_path / "a/pictures/AU12.jpg") as picture:
        pixels = np.asarray(picture).astype(int)
    width = pixels.shape[1] // 6
    before, after = pixels[:, :width], pixels[:, width : 2 * width]
    changed = np.abs(before - after).sum(axis=2) > 40
    assert changed[width // 2 :].mean() > 0.05 > changed[: width // 4].mean(), "a smile changes the mouth"
