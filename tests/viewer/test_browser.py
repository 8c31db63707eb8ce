"""The exported page in headless Chromium with a software renderer: it draws, and its controls move the surface."""

import base64
import dataclasses
import io
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
import uvicorn
from PIL import Image

from viewer.cli import listening_socket
from viewer.compact import page_payload
from viewer.export import embed_fragment, export_html
from viewer.head_jobs import HeadJobs
from viewer.messages import HeadJob
from viewer.page import SCRIPT_NAME, STATIC_FOLDER, client_file
from viewer.server import create_app

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]
FLAGS = [
    *("--headless", "--no-sandbox", "--no-first-run", "--disable-sync", "--disable-component-update"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
    *("--disable-background-networking", "--virtual-time-budget=8000", "--window-size=1000,700"),
    "--disable-features=IsolateSandboxedIframes",  # a frame in a process of its own would not run on virtual time
]

PROBE = """<script>
(async () => {
  const state = document.documentElement.dataset;
  while (state.viewer === undefined || state.viewer === "loading") await new Promise((done) => setTimeout(done, 50));
  const { app } = Mesh4DViewer;
  const neutral = app.blend.positions.slice();
  const moved = () => Math.max(...app.blend.positions.map((value, index) => Math.abs(value - neutral[index])));
  const slider = document.getElementById("unit-0");
  const press = (target, key) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  const drag = (input, value) => {
    input.value = String(value);
    input.dispatchEvent(new Event("input"));
    input.dispatchEvent(new Event("change"));
  };
  const named = (text) => [...document.querySelectorAll("button")].find((each) => each.textContent === text);
  try {
    BODY
    document.title = "probed";
  } catch (error) {
    document.title = `failed: ${error.stack}`;
  }
})();
</script>"""

CONTROLS = """
  drag(slider, 0.5);
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
  drag(document.getElementById("unit-0-right"), 0.25);
  state.sides = `${app.pose[0].toFixed(2)},${app.pose[2].toFixed(2)}`;
  named("Mirror").click();
  state.mirrored = `${app.pose[0].toFixed(2)},${app.pose[2].toFixed(2)}`;
  named("S").click();
  state.solo = [...app.pose].map((weight) => Number(weight !== 0)).join();
  named("S").click();
  named("x1.5").click();
  drag(slider, 1.5);
  state.overdrive = app.pose[0].toFixed(2);
  const nameless = (each) => !each.getAttribute("aria-label") && !each.labels?.length && !each.textContent.trim();
  state.unlabelled = [...document.querySelectorAll("input, button, select")].filter(
    (each) => nameless(each) && !each.hidden).length;
"""

KEYS = """
  named("Zero").click();
  app.history.commit({ ...app.history.now, tracks: new Map(), seconds: 2, fps: 10 });
  app.timeline.show(app.history.now);
  app.timeline.seek(0);
  named("Record").click();
  drag(slider, 0);
  app.timeline.seek(1);
  drag(slider, 0.8);
  const track = () => app.history.now.tracks.get("AU1") ?? [];
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
  app.open("curves.csv", "time_s,AU1,AU12R\\n0,0,0\\n0.1,0.4,1\\n");
  app.timeline.seek(0.1);
  state.imported = [...app.pose].map((weight) => weight.toFixed(2)).join();
  state.exported = app.curves().trim().replaceAll("\\n", ";");
  app.openFile(new File(["{"], "broken.json")).then(() => {});
  await new Promise((done) => setTimeout(done, 50));
  state.refused = document.querySelector(".note.wrong").textContent;
"""

BOTH_PATHS = """
  drag(slider, 0.7);
  drag(document.getElementById("unit-1"), 0.4);
  const [positions, normals] = [app.blend.positions.slice(), app.normals.normals.slice()];
  state.works = app.setGpu(true);
  app.draw();
  const worst = (one, other) => Math.max(...one.map((value, place) => Math.abs(value - other[place])));
  state.positions = worst(positions, app.stage.readGpu("positions"));
  state.normals = worst(normals, app.stage.readGpu("normals"));
"""


def chromium(page: str, tmp_path, *flags: str) -> bytes:
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, path.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout


def screenshot(page: str, tmp_path, *flags: str) -> np.ndarray:
    target = tmp_path / "shot.png"
    chromium(page, tmp_path, f"--screenshot={target}", *flags)
    return np.asarray(Image.open(io.BytesIO(target.read_bytes())).convert("RGB")).astype(int)


def test_page_draws_the_surface_in_light_and_dark(tmp_path, rig_glb, metadata):
    page = export_html(rig_glb, metadata)
    light = screenshot(page, tmp_path)
    dark = screenshot(page, tmp_path, "--blink-settings=preferredColorScheme=0")
    for picture in (light, dark):
        middle = picture[250:350, 250:350]
        assert (middle[..., 0] > middle[..., 2] + 30).mean() > 0.9, (
            "the ball's warm colour fills the middle of the stage"
        )
    assert light[10, 990].min() > 240 and dark[10, 990].max() < 60


def probed(page: str, body: str, tmp_path) -> dict[str, str]:
    """What the statements leave in the document's data attributes."""
    page = page.replace("</body>", f"{PROBE.replace('BODY', body)}</body>")
    document = chromium(page, tmp_path, "--dump-dom").decode()
    assert "<title>probed</title>" in document, re.findall("<title>.*?</title>", document, re.DOTALL)
    return dict(re.findall(r'data-(\w+)="([^"]*)"', document.partition(">")[2].partition(">")[0]))


def test_controls_move_the_surface(tmp_path, rig, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), CONTROLS, tmp_path)
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


def test_keys_are_set_moved_undone_saved_and_loaded(tmp_path, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), KEYS, tmp_path)
    assert state["set"] == "0 0 bezier,1 0.8 bezier"
    assert state["between"] == "0.40"
    assert state["moved"] == state["undone"] == state["loaded"] == "0 0 bezier,1.1 0.8 step"
    assert state["deleted"] == "0 0 bezier"
    assert state["earlier"] == "0 0 bezier,1 0.8 bezier"
    assert state["imported"] == "0.40,0.00,0.40,1.00"
    assert state["exported"].startswith("time_s,AU1,AU12L,AU12R;0.000000,0.00000,0.00000,0.00000;0.100000")
    assert "broken.json" in state["refused"]


def test_both_blends_agree(tmp_path, rig_glb, metadata):
    """Positions in metres, on a ball of 0.1 m."""
    page = export_html(rig_glb, metadata)
    at_rest = screenshot(page, tmp_path)
    state = probed(page, BOTH_PATHS, tmp_path)
    assert state["works"] == "true"
    assert float(state["positions"]) < 1e-6
    assert float(state["normals"]) < 1e-3
    pictures = []
    for on in ("false", "true"):
        pose = f"app.setWeights({{ AU1: 1, AU12L: 0.8 }}, 1); app.setGpu({on});"
        pictures.append(screenshot(page.replace("</body>", f"{PROBE.replace('BODY', pose)}</body>"), tmp_path))
    # The tick of the switch itself differs; on the stage below the toolbar only edges may.
    differences = np.abs(pictures[0] - pictures[1])[60:560, :600].max(axis=2)
    assert (differences > 12).mean() < 2e-3
    assert np.abs(pictures[0] - at_rest)[60:560, :600].max() > 60, "the pose shows"


def test_changes_are_back_after_a_reload(tmp_path, rig_glb, metadata):
    page = export_html(rig_glb, metadata)
    wait = "await new Promise((done) => setTimeout(done, 1500));"
    probed(page, f"drag(slider, 0.35); {wait}", tmp_path)
    state = probed(page, "state.back = app.pose[0]; app.undo(); state.undone = app.pose[0];", tmp_path)
    assert (state["back"], state["undone"]) == ("0.35", "0")


AXE = STATIC_FOLDER.parent / "client" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: run `make viewer`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(tmp_path, rig_glb, metadata, scheme):
    page = export_html(rig_glb, metadata).replace("</body>", f"<script>{AXE.read_text()}</script></body>")
    body = """
      document.querySelector(".arkit").open = true;
      const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] });
      state.violations = found.violations.map((v) => `${v.id} ${v.nodes.map((n) => n.target).join(" ")}`).join("; ");
      state.passes = found.passes.length;
    """
    dark = "--blink-settings=preferredColorScheme=0"
    page = page.replace("</body>", f"{PROBE.replace('BODY', body)}</body>")
    document = chromium(page, tmp_path, "--dump-dom", *([dark] if scheme == "dark" else [])).decode()
    assert 'data-violations=""' in document, re.findall('data-violations="[^"]*"|<title>.*?</title>', document)
    assert int(re.findall(r'data-passes="(\d+)"', document)[0]) > 15


def test_fragment_is_alive_inside_another_page(tmp_path, rig_glb, metadata):
    report = (
        f"<!doctype html><title>Report</title><body style='margin:0'>{embed_fragment(rig_glb, metadata, 700)}</body>"
    )
    middle = screenshot(report, tmp_path)[250:350, 250:350]
    assert (middle[..., 0] > middle[..., 2] + 30).mean() > 0.9


def test_broken_rig_is_explained_in_the_page(tmp_path, rig_glb, metadata):
    payload = base64.b64encode(page_payload(rig_glb)).decode()
    page = export_html(rig_glb, metadata).replace(payload, base64.b64encode(b"glTF but no more").decode())
    document = chromium(page, tmp_path, "--dump-dom").decode()
    assert 'data-viewer="failed"' in document
    assert "could not be shown: not a GLB file" in document


DROP = """
(async () => {
  const state = document.documentElement.dataset;
  while (state.viewer !== "ready") await new Promise((done) => setTimeout(done, 50));
  const before = Mesh4DViewer.app;
  const files = new DataTransfer();
  files.items.add(new File(["v 0 0 0"], "NAME"));
  document.getElementById("viewer").dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true }));
  const wrong = () => document.querySelector(".note.wrong")?.textContent ?? "";
  while (Mesh4DViewer.app === before && wrong() === "") await new Promise((done) => setTimeout(done, 50));
  state.said = wrong();
  state.heading = document.querySelector("h1").textContent;
  state.units = Mesh4DViewer.app.names.join();
  document.title = "probed";
})();
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
def test_a_dropped_head_takes_the_place_or_is_explained(tmp_path, monkeypatch, make_glb, rig, rig_glb, metadata, name):
    """The page forbids scripts from elsewhere, so the probe comes as the end of the client's own file."""
    probe = DROP.replace("NAME", name)
    monkeypatch.setattr(
        "viewer.server.client_file", lambda file: client_file(file) + (probe if file == SCRIPT_NAME else "")
    )
    other = make_glb(dataclasses.replace(rig, names=("AU4", "AU26")))
    jobs = InstantJobs(None if name == "no_face.obj" else page_payload(other))
    app = create_app(rig_glb, metadata, jobs=jobs)
    with listening_socket(0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={app.state.token}"
        flags = [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=60000", "--dump-dom"]
        document = subprocess.run([str(CHROMIUM), *flags, address], capture_output=True, timeout=120, check=True).stdout
        server.should_exit = True
        thread.join(10)
    state = dict(re.findall(r'data-(\w+)="([^"]*)"', document.decode().partition(">")[2].partition(">")[0]))
    if name == "head.obj":
        assert state["heading"] == "head.obj" and state["units"] == "AU4,AU26"
    else:
        assert name in state["said"] and state["heading"] == "Ball" and state["units"] == "AU1,AU12"
