"""What stands beside the head, in headless Chromium: exports, landmarks, regions, a second head, readings."""

import base64
import dataclasses
import shutil

import numpy as np
import pytest

from aublend import head_model, write_rig
from mesh4d import read_mesh
from mesh4d.io import read_morph_mesh
from viewer.export import export_html
from viewer.messages import HeadMap, Reading
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.readings import Readings
from viewer.scene import viewer_metadata
from viewer.server import create_app

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]

SAVED = """
  const blobs = [];
  const made = URL.createObjectURL;
  URL.createObjectURL = (blob) => (blobs.push(blob), made.call(URL, blob));
  const clicked = HTMLAnchorElement.prototype.click;
  const names = [];
  HTMLAnchorElement.prototype.click = function () { names.push(this.download); };
  const items = [...document.querySelectorAll(".menu .item")];
  const item = (text) => items.find((each) => each.textContent.startsWith(text));
  const saved = async (text) => {
    const before = blobs.length;
    item(text).click();
    await until(() => blobs.length > before);
    const bytes = new Uint8Array(await blobs.at(-1).arrayBuffer());
    let letters = "";
    for (const byte of bytes) letters += String.fromCharCode(byte);
    return btoa(letters);
  };
  app.open("curves.csv", "time_s,AU1,AU12R\\n0,0,0\\n0.1,0.4,1\\n");
  state.rig = await saved("Rig");
  state.animation = await saved("Animation");
  app.setWeights({ AU1: 1 }, 1);
  state.pose = await saved("Pose");
  state.curves = atob(await saved("Curves")).split("\\n")[0];
  state.names = names.join();
"""
BESIDE = """
  const view = document.querySelector('select[aria-label="View"]');
  const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
  named("Landmarks").click();
  await until(() => named("Landmarks").getAttribute("aria-pressed") === "true");
  choose(view, "regions");
  await until(() => !document.querySelector(".regions").hidden);
  state.legend = document.querySelector(".swatches").textContent;
  named("Heads").click();
  state.hint = document.querySelector(".heads .hint").textContent.includes("mesh4d-viewer");
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob("GLB"), (letter) => letter.charCodeAt(0));
  transfer.items.add(new File([bytes], "other.glb"));
  const picker = document.querySelector(".heads input[type=file]");
  picker.files = transfer.files;
  picker.dispatchEvent(new Event("change"));
  await until(() => !document.querySelector(".captions").hidden);
  state.captions = document.querySelector(".captions").textContent;
  app.setWeights({ AU1: 1 }, 1);
  named("Take away").click();
  state.alone = document.querySelector(".captions").hidden;
  named("Reading").click();
  state.reading = document.querySelector(".reading .hint").textContent.includes("mesh4d-viewer");
  state.one = document.querySelector(".heads").hidden;
  const rects = [...document.querySelectorAll(".toolbar button, .toolbar select, .toolbar summary")].map((each) =>
    each.getBoundingClientRect());
  state.overlaps = rects.filter((a, i) => rects.some((b, j) => i < j && a.width > 0 && b.width > 0 &&
    a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)).length;
"""
SERVED = """
  app.open("curves.csv", "time_s,AU1,AU12\\n0,0,0\\n0.1,0.4,1\\n");
  const curves = app.curves();
  named("Heads").click();
  named("Next").click();
  await until(() => document.querySelector("h1").textContent === "Embedded head 503");
  named("exaggerated").click();
  await until(() => named("exaggerated").getAttribute("aria-pressed") === "true");
  state.head = app.source.head;
  state.kept = app.curves() === curves && app === Mesh4DViewer.app;
  app.setWeights({ AU1: 1 }, 1);
  const brow = Math.max(...app.blend.positions.map((value, at) => Math.abs(value - app.head.rig.positions[at])));
  state.brow = brow;
  named("Reading").click();
  await until(() => document.querySelectorAll(".probabilities div").length === 2);
  state.best = document.querySelector(".probabilities .best").textContent;
  state.pictures = document.querySelectorAll(".views img").length;
"""
PLACES = HeadMap(("a", "b"), (0, 1, 2, 30, 31, 32), (1.0, 0.0, 0.0, 0.2, 0.3, 0.5), ("brow", "lip"), "")


def decoded(text: str, path):
    path.write_bytes(base64.b64decode(text))
    return path


def test_exports_of_a_page_from_disk(tmp_path, probed, rig, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), SAVED)
    assert state["names"] == "Ball.glb,Ball-animation.glb,Ball.obj,Ball.csv"
    found = read_morph_mesh(decoded(state["rig"], tmp_path / "rig.glb"))
    assert found.target_names == rig.names
    np.testing.assert_allclose(found.deltas, rig.deltas * rig.scale, atol=np.abs(rig.deltas).max() * rig.scale / 32767)
    moving = read_morph_mesh(decoded(state["animation"], tmp_path / "animation.glb"))
    assert moving.target_names == ("AU1", "AU12", "AU12R") and moving.weights is not None
    np.testing.assert_allclose(moving.weights[-1], [0.4, 0.0, 1.0], atol=1e-6)
    pose = read_mesh(decoded(state["pose"], tmp_path / "pose.obj"))
    expected = rig.vertices + rig.deltas[0]
    error = min(np.abs(pose.vertices * unit - expected).max() for unit in (1.0, 1000.0))
    assert error < 2e-3
    assert state["curves"].startswith("time_s,AU1")


def test_landmarks_regions_and_a_second_head_without_a_server(probed, make_glb, rig, rig_glb, metadata):
    masks = np.zeros((2, len(rig.vertices)), np.uint8)
    masks[0, :50] = 255
    places = dataclasses.replace(PLACES, regions=base64.b64encode(masks.tobytes()).decode())
    other = base64.b64encode(make_glb(dataclasses.replace(rig, names=("AU12", "AU1")))).decode()
    page = export_html(rig_glb, metadata, places=places)
    state = probed(page, BESIDE.replace("GLB", other))
    assert state["legend"].startswith("browlideye")
    assert state["captions"] == "Ballother.glb"
    for name in ("hint", "alone", "reading", "one"):
        assert state[name] == "true", name
    assert state["overlaps"] == "0"


class InstantReadings(Readings):
    """Readings that are there at once: what the page does with them is the question."""

    def _asked(self, request, content):
        picture = "data:image/png;base64," + base64.b64encode(b"no picture").decode()
        said = Reading(("joy", "awe"), (0.25, 0.75), (picture,) * 7, ("front",) * 7, (1 / 7,) * 7, 0.01)
        return {"reading": dataclasses.asdict(said)}


def test_identities_styles_and_readings_keep_the_timeline(tmp_path, serving):
    write_rig(head_model().rig(502), tmp_path / "head.glb")
    metadata = viewer_metadata("Embedded head 502", seed=502)
    state = serving(create_app((tmp_path / "head.glb").read_bytes(), metadata, readings=InstantReadings())).probe(
        SERVED
    )
    assert state["head"] == "identity-503-exaggerated" and state["kept"] == "true"
    natural = head_model().rig(503)
    assert float(state["brow"]) > 1.2 * np.abs(natural.deltas[0]).max() * natural.unit_m
    assert state["best"].startswith("awe") and state["pictures"] == "7"
