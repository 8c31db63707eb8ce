"""The exported page in headless Chromium with a software renderer: it draws, and its controls move the surface."""

import base64
import dataclasses
import shutil
import time

import numpy as np
import pytest

from viewer.compact import page_payload
from viewer.export import embed_fragment, export_html
from viewer.head_jobs import HeadJobs
from viewer.messages import HeadJob
from viewer.page import SCRIPT_NAME, STATIC_FOLDER
from viewer.server import create_app

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]
SIZE = (1000, 900)
STAGE = np.s_[100:440, :620]  # between toolbar and timeline, beside the panel
# What the statements below call things, on top of what conftest's IN_PAGE gives them.
NAMES = """
  const neutral = app.blend.positions.slice();
  const moved = () => Math.max(...app.blend.positions.map((value, index) => Math.abs(value - neutral[index])));
  const slider = document.getElementById("unit-0");
"""

CONTROLS = """
  set(slider, 0.5);
  state.slider = moved().toFixed(5);
  state.spoken = slider.getAttribute("aria-valuetext");
  slider.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
  state.zeroed = moved().toFixed(5);
  press(slider, "4");
  state.letter = app.pose[0].toFixed(2);
  app.undo();
  state.undone = app.pose[0].toFixed(2);
  [...document.querySelectorAll(".emotion")].find((each) => each.textContent === "happiness").click();
  state.emotion = app.pose[1].toFixed(2);
  document.querySelector(".reset").click();
  state.reset = moved().toFixed(5);
  app.timeline.seek(0.5);
  state.seek = [...app.pose].map((weight) => weight.toFixed(2)).join();
  named("L R").click();
  set(document.getElementById("unit-0-right"), 0.25);
  state.sides = `${app.pose[0].toFixed(2)},${app.pose[2].toFixed(2)}`;
  named("Mirror").click();
  state.mirrored = `${app.pose[0].toFixed(2)},${app.pose[2].toFixed(2)}`;
  named("Solo AU1").click();
  state.solo = [...app.pose].map((weight) => Number(weight !== 0)).join();
  named("Solo AU1").click();
  named("x1.5").click();
  set(slider, 1.5);
  state.overdrive = app.pose[0].toFixed(2);
  const nameless = (each) => !each.getAttribute("aria-label") && !each.labels?.length && !each.textContent.trim();
  state.unlabelled = [...document.querySelectorAll("input, button, select")].filter(
    (each) => nameless(each) && !each.hidden).length;
"""

KEYS = """
  named("Zero").click();
  const bare = () => app.history.now.layers.map((layer) => ({ ...layer, tracks: new Map() }));
  app.animator.commit({ layers: bare(), seconds: 2, fps: 10 });
  app.timeline.seek(0);
  named("Record").click();
  set(slider, 0);
  app.timeline.seek(1);
  set(slider, 0.8);
  const track = () => app.history.now.layers.find(({ name }) => name === "hand").tracks.get("AU1") ?? [];
  const keys = () => track().map((key) => `${key.time} ${key.left} ${key.ease}`).join();
  state.set = keys();
  app.timeline.seek(0.5);
  state.between = app.pose[0].toFixed(2);
  const handle = () => document.querySelectorAll(".key")[1];
  press(handle(), "ArrowRight");
  press(handle(), "Enter");
  state.moved = keys();
  const text = app.projectText();
  press(handle(), "Delete");
  state.deleted = keys();
  app.undo();
  state.undone = keys();
  app.undo(); app.undo();
  state.earlier = keys();
  app.open("project.json", text);
  state.loaded = keys();
  app.animator.commit({ layers: bare() });
  app.open("curves.csv", "time_s,AU1,AU12R\\n0,0,0\\n0.1,0.4,1\\n");
  app.timeline.seek(0.1);
  state.imported = [...app.pose].map((weight) => weight.toFixed(2)).join();
  state.exported = app.curves().trim().replaceAll("\\n", ";");
  app.openFile(new File(["{"], "broken.json")).then(() => {});
  await until(() => document.querySelector(".note.wrong") !== null);
  state.refused = document.querySelector(".note.wrong").textContent;
"""

BOTH_PATHS = """
  set(slider, 0.7);
  set(document.getElementById("unit-1"), 0.4);
  const [positions, normals] = [app.blend.positions.slice(), app.normals.normals.slice()];
  state.works = app.setGpu(true);
  app.draw();
  const worst = (one, other) => Math.max(...one.map((value, place) => Math.abs(value - other[place])));
  state.positions = worst(positions, app.stage.readGpu("positions"));
  state.normals = worst(normals, app.stage.readGpu("normals"));
"""


@pytest.fixture
def looked(open_page):
    """A picture of a page from disk, after statements."""

    def run(html: str, body: str = "", dark: bool = False) -> np.ndarray:
        tab = open_page(html, dark, SIZE)
        tab.probe(body)
        return tab.picture()

    return run


def warm(picture: np.ndarray) -> float:
    """The share of the middle of the stage that has the ball's colour."""
    middle = picture[STAGE][120:220, 260:360]
    return float((middle[..., 0] > middle[..., 2] + 30).mean())


def test_page_draws_the_surface_in_light_and_dark(looked, rig_glb, metadata):
    page = export_html(rig_glb, metadata)
    light, dark = looked(page), looked(page, dark=True)
    assert warm(light) > 0.9 and warm(dark) > 0.9
    assert light[10, 990].min() > 240 and dark[10, 990].max() < 60


def test_controls_move_the_surface(probed, rig, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), NAMES + CONTROLS)
    half = np.abs(0.5 * rig.deltas[0]).max() * rig.scale
    assert float(state["slider"]) == pytest.approx(half, abs=2e-5)
    assert state["spoken"] == "0.50, C, marked"
    assert float(state["zeroed"]) == 0
    assert (state["letter"], state["undone"]) == ("0.80", "0.00")
    assert state["emotion"] == "0.90"
    assert float(state["reset"]) == 0
    assert state["seek"] == "1.00,0.25,1.00,0.25"
    assert (state["sides"], state["mirrored"]) == ("1.00,0.25", "0.25,1.00")
    assert state["solo"] == "1,0,1,0"
    assert state["overdrive"] == "1.50"
    assert state["unlabelled"] == "0"


def test_keys_are_set_moved_undone_saved_and_loaded(probed, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), NAMES + KEYS)
    assert state["set"] == "0 0 bezier,1 0.8 bezier"
    assert state["between"] == "0.40"
    assert state["moved"] == state["undone"] == state["loaded"] == "0 0 bezier,1.1 0.8 step"
    assert state["deleted"] == "0 0 bezier"
    assert state["earlier"] == "0 0 bezier,1 0.8 bezier"
    assert state["imported"] == "0.40,0.00,0.40,1.00"
    assert state["exported"].startswith("time_s,AU1,AU12L,AU12R;0.000000,0.00000,0.00000,0.00000;0.100000")
    assert "broken.json" in state["refused"]


def test_both_blends_agree(open_page, looked, rig_glb, metadata):
    """Positions in metres, on a ball of 0.1 m."""
    tab = open_page(export_html(rig_glb, metadata), size=SIZE)
    at_rest = tab.picture()[STAGE]
    state = tab.probe(NAMES + BOTH_PATHS)
    assert state["works"] == "true"
    assert float(state["positions"]) < 1e-6
    assert float(state["normals"]) < 1e-3
    pictures = []
    for on in ("false", "true"):
        tab.probe(f"app.setWeights({{ AU1: 1, AU12L: 0.8 }}, 1); app.setGpu({on});")
        pictures.append(tab.picture()[STAGE])
    differences = np.abs(pictures[0] - pictures[1]).max(axis=2)
    assert (differences > 12).mean() < 2e-3, "only edges may differ"
    assert np.abs(pictures[0] - at_rest).max() > 60, "the pose shows"


def test_changes_are_back_after_a_reload(open_page, rig_glb, metadata):
    tab = open_page(export_html(rig_glb, metadata))
    tab.probe(f"{NAMES} set(slider, 0.35); await pause(600);")
    tab.open(tab.run("location.href"))
    state = tab.probe("state.back = app.pose[0]; app.undo(); state.undone = app.pose[0];")
    assert (state["back"], state["undone"]) == ("0.35", "0")


AXE = STATIC_FOLDER.parent / "client" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: run `make viewer`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(open_page, rig_glb, metadata, scheme):
    tab = open_page(export_html(rig_glb, metadata), scheme == "dark")
    tab.run(AXE.read_text() + "; 0")
    state = tab.probe("""
      document.querySelector(".arkit").open = true;
      const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] });
      state.violations = found.violations.map((v) => `${v.id} ${v.nodes.map((n) => n.target).join(" ")}`).join("; ");
      state.passes = found.passes.length;
    """)
    assert state["violations"] == ""
    assert int(state["passes"]) > 15


def test_fragment_is_alive_inside_another_page(tmp_path, new_tab, rig_glb, metadata):
    """The frame is of another origin: only its picture tells."""
    path = tmp_path / "report.html"
    fragment = embed_fragment(rig_glb, metadata, 700)
    path.write_text(f"<!doctype html><title>Report</title><body style='margin:0'>{fragment}</body>", encoding="utf-8")
    tab = new_tab(size=SIZE)
    tab.open(path.as_uri(), ready="true")
    end = time.monotonic() + 30
    while warm(tab.picture()) < 0.9 and time.monotonic() < end:
        time.sleep(0.2)
    assert warm(tab.picture()) > 0.9


def test_broken_rig_is_explained_in_the_page(open_page, rig_glb, metadata):
    payload = base64.b64encode(page_payload(rig_glb)).decode()
    tab = open_page(export_html(rig_glb, metadata).replace(payload, base64.b64encode(b"glTF but no more").decode()))
    assert tab.run("document.documentElement.dataset.viewer") == "failed"
    assert "could not be shown: not a GLB file" in tab.run("document.body.textContent")


DROP = """
  const files = new DataTransfer();
  files.items.add(new File(["v 0 0 0"], "NAME"));
  document.getElementById("viewer").dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
  const wrong = () => document.querySelector(".note.wrong")?.textContent ?? "";
  await until(() => Mesh4DViewer.app !== app || wrong() !== "");
  state.said = wrong();
  state.heading = document.querySelector("h1").textContent;
  state.units = Mesh4DViewer.app.names.join();
"""


class InstantJobs(HeadJobs):
    """Jobs that are over at once: what the page does with them is the question, not what the worker does."""

    def __init__(self, payload: bytes | None) -> None:
        super().__init__()
        self.content = payload

    def start(self, folder, source, name):
        folder.cleanup()
        return name

    def status(self, job):
        return HeadJob(job, job, "failed" if self.content is None else "done", "packing", f"{job}: no face in it")

    def payload(self, job):
        return self.content


@pytest.mark.parametrize("name", ["head.obj", "no_face.obj", "head.exe"])
def test_a_dropped_head_takes_the_place_or_is_explained(serving, make_glb, rig, rig_glb, metadata, name):
    other = make_glb(dataclasses.replace(rig, names=("AU4", "AU26")))
    jobs = InstantJobs(None if name == "no_face.obj" else page_payload(other))
    state = serving(create_app(rig_glb, metadata, jobs=jobs)).probe(DROP.replace("NAME", name))
    if name == "head.obj":
        assert state["heading"] == "head.obj" and state["units"] == "AU4,AU26"
    else:
        assert name in state["said"] and state["heading"] == "Ball" and state["units"] == "AU1,AU12"
