"""The exported page in headless Chromium with a software renderer: it draws, and its controls move the surface."""

import io
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from viewer.export import embed_fragment, export_html
from viewer.page import SCRIPT_NAME, STATIC_FOLDER

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
  while (state.viewer !== "ready") await new Promise((done) => setTimeout(done, 50));
  const { app } = Mesh4DViewer;
  const neutral = app.blend.positions.slice();
  const moved = () => Math.max(...app.blend.positions.map((value, index) => Math.abs(value - neutral[index])));
  const slider = document.getElementById("unit-0");
  slider.value = "0.5";
  slider.dispatchEvent(new Event("input"));
  state.slider = moved().toFixed(5);
  state.spoken = slider.getAttribute("aria-valuetext");
  slider.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
  state.zeroed = moved().toFixed(5);
  [...document.querySelectorAll(".emotion")].find((each) => each.textContent === "happiness").click();
  state.emotion = app.weights[1].toFixed(2);
  document.querySelector(".reset").click();
  state.reset = moved().toFixed(5);
  app.timeline.seek(0.5);
  state.seek = [...app.weights].slice(0, 2).map((weight) => weight.toFixed(2)).join();
  state.unlabelled = [...document.querySelectorAll("input, button")].filter(
    (each) => !each.getAttribute("aria-label") && !each.labels?.length && !each.textContent.trim()).length;
  document.title = "probed";
})();
</script>"""


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


def test_controls_move_the_surface(tmp_path, rig, rig_glb, metadata):
    page = export_html(rig_glb, metadata).replace("</body>", f"{PROBE}</body>")
    document = chromium(page, tmp_path, "--dump-dom").decode()
    assert "<title>probed</title>" in document
    state = dict(re.findall(r'data-(\w+)="([^"]*)"', document.partition(">")[2].partition(">")[0]))
    half = np.abs(0.5 * rig.deltas[0]).max() * rig.scale
    assert float(state["slider"]) == pytest.approx(half, abs=2e-5)
    assert state["spoken"] == "0.50, C, marked"
    assert float(state["zeroed"]) == 0
    assert state["emotion"] == "0.90"
    assert float(state["reset"]) == 0
    assert state["seek"] == "1.00,0.25"
    assert state["unlabelled"] == "0"


def test_fragment_is_alive_inside_another_page(tmp_path, rig_glb, metadata):
    report = (
        f"<!doctype html><title>Report</title><body style='margin:0'>{embed_fragment(rig_glb, metadata, 700)}</body>"
    )
    middle = screenshot(report, tmp_path)[250:350, 250:350]
    assert (middle[..., 0] > middle[..., 2] + 30).mean() > 0.9


def test_broken_rig_is_explained_in_the_page(tmp_path, metadata):
    document = chromium(export_html(b"glTF but no more", metadata), tmp_path, "--dump-dom").decode()
    assert 'data-viewer="failed"' in document
    assert "could not be shown: not a GLB file" in document
