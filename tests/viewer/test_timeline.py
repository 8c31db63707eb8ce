"""The animator's timeline: curves and handles, layers that add up, thinning, locks, undo; in Node and in a page."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from aublend.curves import half_weights
from viewer.export import export_html
from viewer.page import SCRIPT_NAME, STATIC_FOLDER

pytestmark = [
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`")
]
in_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
AXE = STATIC_FOLDER.parent / "client" / "node_modules" / "axe-core" / "axe.min.js"


def in_browser(test):
    missing = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
    return pytest.mark.browser(missing(test))


def bezier(points: np.ndarray, t: np.ndarray) -> np.ndarray:
    """De Casteljau's construction: independent of the polynomial that the page uses."""
    rows = np.repeat(points[None], len(t), 0)
    while rows.shape[1] > 1:
        rows = rows[:, :-1] + t[:, None] * (rows[:, 1:] - rows[:, :-1])
    return rows[:, 0]


@in_node
def test_handles_shape_the_curve_as_a_bezier_of_time_and_weight(page):
    """Points of the Bezier through (time, weight) control points lie on the sampled curve."""
    times, left = np.array([1.0, 1.5, 1.2, 3.0]), np.array([0.2, 0.9, -0.1, 0.7])
    keys = [
        {"time": 1, "left": 0.2, "right": 0.4, "ease": "bezier", "leave": {"time": 0.5, "left": 0.7, "right": 0.0}},
        {"time": 3, "left": 0.7, "right": 0.4, "ease": "bezier", "arrive": {"time": 1.8, "left": -0.8, "right": 0.0}},
    ]
    t = np.linspace(0, 1, 41)
    found = np.array(page("return input.at.map((t) => page.sampleTrack(input.keys, t));",
                          {"keys": keys, "at": bezier(times, t).tolist()}))  # fmt: skip
    np.testing.assert_allclose(found[:, 0], bezier(left, t), atol=1e-9)
    np.testing.assert_allclose(found[:, 1], 0.4, atol=1e-12)


@in_node
def test_a_handle_never_folds_time(page):
    """Handles longer than the segment are cut: time stays a function, and the ends are met."""
    body = """
      const far = { time: 9, left: 3, right: 3 };
      const back = { time: 9, left: -3, right: -3 };
      const keys = [{ time: 0, left: 0, right: 0, ease: "bezier", leave: far },
                    { time: 1, left: 1, right: 1, ease: "bezier", arrive: back }];
      return [0, 0.3, 0.5 - 1e-7, 0.5, 0.5 + 1e-7, 0.7, 1].map((time) => page.sampleTrack(keys, time)[0]);
    """
    values = np.array(page(body))
    assert values[0] == 0 and values[-1] == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(values + values[::-1], 1, atol=1e-6)  # the curve is its own mirror image
    np.testing.assert_allclose(values[2:5], 0.5, atol=0.01)  # steep in the middle, but of one piece


@in_node
def test_layers_add_up_by_weight_mute_and_solo(page):
    body = """
      const track = (left, right) => [{ time: 0, left, right, ease: "linear" }];
      let p = { ...page.emptyProject(units.length), follows: true };
      const put = (name, change) => {
        const layer = p.layers.find((each) => each.name === name);
        p = { ...p, layers: page.withLayer(p.layers, { ...layer, ...change }) };
      };
      put("base", { tracks: new Map([["AU12", track(0.3, 0.1)]]) });
      put("speech", { tracks: new Map([["AU12", track(0.4, 0.4)], ["AU26", track(0.9, 0.9)]]), weight: 0.5 });
      put("emotion", { tracks: new Map([["AU26", track(-0.2, -0.6)]]) });
      put("hand", { tracks: new Map([["AU26", track(0.9, 0.2)]]) });
      const seen = [], see = () => seen.push(list(page.poseAt(p, units, 0)));
      see();
      put("speech", { muted: true }); see();
      put("base", { solo: true }); put("speech", { muted: false }); see();
      put("hand", { solo: true, weight: 0.5 }); see();
      return seen;
    """
    expected = [
        {"AU12L": 0.3 + 0.2, "AU12R": 0.1 + 0.2, "AU26L": 1.0, "AU26R": 0.45 - 0.6 + 0.2},  # 1.15 is held at 1
        {"AU12L": 0.3, "AU12R": 0.1, "AU26L": 0.7, "AU26R": 0.0},  # -0.4 is held at 0
        {"AU12L": 0.3, "AU12R": 0.1},
        {"AU12L": 0.3, "AU12R": 0.1, "AU26L": 0.45, "AU26R": 0.1},
    ]
    for found, weights in zip(page(body), expected, strict=True):
        np.testing.assert_allclose(np.reshape(found, (2, 32)), half_weights(weights), atol=1e-12)


@in_node
@pytest.mark.parametrize("tolerance", [0.0, 0.002, 0.02])
def test_import_states_the_error_that_it_makes(page, tolerance):
    rng = np.random.default_rng(3)
    weights = np.clip(np.cumsum(rng.normal(0, 0.02, (400, 2)), axis=0) + 0.4, 0, 1)
    body = """
      const poses = input.weights.map(([l, r]) => { const p = new Float64Array(64); p[0] = l; p[32] = r; return p; });
      const times = poses.map((_, i) => i / 60);
      const { tracks, thinning } = page.tracksOfFrames(units, times, poses, "linear", input.tolerance);
      const track = tracks.get(units[0]);
      return { thinning, size: track.length, back: times.map((t) => page.sampleTrack(track, t)) };
    """
    found = page(body, {"weights": weights.tolist(), "tolerance": tolerance})
    error = np.abs(np.array(found["back"]) - weights).max()
    assert found["thinning"]["from"] == 400 and found["thinning"]["to"] == found["size"]
    assert found["thinning"]["error"] == pytest.approx(error, abs=1e-12) and error <= tolerance + 1e-12
    assert found["size"] < {0.0: 401, 0.002: 390, 0.02: 200}[tolerance]


@in_node
def test_chosen_keys_move_scale_and_are_copied(page):
    body = """
      const track = input.map(([time, w]) => ({ time, left: w, right: w / 2, ease: "linear" }));
      const layer = page.withTrack(page.emptyLayer("hand"), "AU1", track);
      const refs = [{ unit: "AU1", time: 1 }, { unit: "AU1", time: 2 }];
      const rows = (edited) => edited.layer.tracks.get("AU1")?.map((k) => [k.time, k.left, k.right]);
      const moved = page.changedKeys(layer, refs, page.movedBy(1, 0.1, "left"));
      const scaled = page.changedKeys(layer, refs, page.scaledBy([1, 3], [0, 0.5], "both"));
      const gone = page.changedKeys(layer, refs, () => null);
      const pasted = page.pastedKeys(layer, page.copiedKeys(layer, refs), 5, "AU2");
      return { moved: rows(moved), refs: moved.refs, scaled: rows(scaled), gone: rows(gone), was: rows({ layer }),
               pasted: pasted.layer.tracks.get("AU2").map((k) => [k.time, k.left]) };
    """
    found = page(body, [[0, 0.0], [1, 0.4], [2, 0.8], [3, 0.2]])
    np.testing.assert_allclose(found["moved"], [[0, 0, 0], [2, 0.5, 0.2], [3, 0.9, 0.4]])  # the key at 3 gives way
    assert found["refs"] == [{"unit": "AU1", "time": 2}, {"unit": "AU1", "time": 3}]
    np.testing.assert_allclose(found["scaled"], [[0, 0, 0], [1, 0.2, 0.1], [3, 0.2, 0.1], [4, 0.4, 0.2]])
    assert found["gone"] == [[0, 0, 0], [3, 0.2, 0.1]]
    assert found["pasted"] == [[5, 0.4], [6, 0.8]]
    np.testing.assert_allclose(found["was"], [[0, 0, 0], [1, 0.4, 0.2], [2, 0.8, 0.4], [3, 0.2, 0.1]])


@in_node
def test_pulling_a_handle_turns_the_other_one_along(page):
    body = """
      const key = (time, w) => ({ time, left: w, right: w, ease: "bezier" });
      const track = [key(0, 0), key(1, 0.5), key(2, 0)];
      const smooth = page.pulled(track, 1, "leave", [0.25, 0.2], "both", false);
      const broken = page.pulled(track, 1, "leave", [0.25, 0.2], "left", true);
      return [smooth, broken];
    """
    smooth, broken = page(body)
    assert smooth["leave"] == {"time": 0.25, "left": 0.2, "right": 0.2}
    slope = smooth["leave"]["left"] / smooth["leave"]["time"]
    assert smooth["arrive"]["left"] == pytest.approx(-slope * smooth["arrive"]["time"])
    assert broken["leave"] == {"time": 0.25, "left": 0.2, "right": 0.0}
    assert broken["arrive"]["left"] == pytest.approx(0)


@in_node
def test_project_keeps_layers_handles_locks_sound_and_phones(page):
    body = """
      const leave = { time: 0.25, left: 0.1, right: -0.1 };
      const keys = [{ time: 0.5, left: 0.4, right: 0.2, ease: "bezier", leave },
                    { time: 1, left: 1.25, right: 1, ease: "step" }];
      const layer = { ...page.emptyLayer("mine"), weight: 0.75, solo: true, locked: true, lockedUnits: new Set(["AU4"]),
                      tracks: new Map([["AU4", keys]]) };
      const empty = page.emptyProject(units.length);
      const made = { ...empty, layers: page.withLayer(empty.layers, layer), limits: [-0.5, 1.25],
        sound: { name: "talk.wav", seconds: 2.5, fingerprint: page.fingerprintOf(new Uint8Array([1, 2, 3])) },
        phones: [{ symbol: "B", start_s: 0, end_s: 0.5, word: "bob", stress: 0, confidence: 0.9 }] };
      const text = page.projectText(made, units);
      const { project } = page.readProject(text, units);
      const last = project.layers.at(-1);
      return { same: page.projectText(project, units) === text, names: project.layers.map(({ name }) => name),
               locked: list(last.lockedUnits), keys: last.tracks.get("AU4"), was: keys };
    """
    found = page(body)
    assert found["same"] and found["names"] == ["base", "speech", "emotion", "hand", "mine"]
    assert found["locked"] == ["AU4"] and found["keys"] == found["was"]


CURVES = """
  const hand = () => app.history.now.layers.find(({ name }) => name === "hand");
  const keys = (unit) => (hand().tracks.get(unit) ?? []).map((k) => `${k.time.toFixed(3)} ${k.left.toFixed(3)}`).join();
  const bare = () => app.history.now.layers.map((each) => ({ ...each, tracks: new Map() }));
  app.animator.commit({ seconds: 2, fps: 10, layers: bare() });
  named("Record").click();
  for (const [time, weight] of [[0, 0], [1, 0.5], [2, 0]]) {
    app.timeline.seek(time);
    set(document.getElementById("unit-0"), weight);
  }
  named("Record").click();
  state.recorded = keys("AU1");
  named("Curves").click();
  await pause(100);
  const canvas = document.querySelector("canvas.curves");
  const { picture } = app.timeline.curves;
  const at = (time, weight) => [picture.x(time), picture.y(weight)];
  drag(canvas, at(1, 0.5), at(1.3, 0.9));
  state.dragged = keys("AU1");
  app.timeline.seek(1.3);
  state.weight = app.pose[0].toFixed(6);
  app.undo();
  state.undone = keys("AU1");
  app.redo();
  state.redone = keys("AU1");
  press(canvas, "]");
  press(canvas, "ArrowUp", { shiftKey: true });
  press(canvas, "ArrowLeft");
  state.nudged = keys("AU1");
  drag(canvas, at(-0.02, 1.05), at(1.5, -0.05));
  state.boxed = app.timeline.curves.chosen.length;
  press(canvas, "c", { ctrlKey: true });
  app.timeline.seek(0.5);
  press(canvas, "v", { ctrlKey: true });
  state.pasted = keys("AU1");
  press(canvas, "Delete");
  state.deleted = keys("AU1");
  app.undo(); app.undo();
  press(canvas, "a", { ctrlKey: true });
  set(document.querySelector('[aria-label="Scale weights by"]'), 0.5);
  state.scaled = keys("AU1");
  press(canvas, "1");
  state.eased = hand().tracks.get("AU1").map((k) => k.ease).join();
  named("Lock AU1").click();
  press(canvas, "Delete");
  drag(canvas, at(0, 0), at(0.2, 0.4));
  state.locked = keys("AU1");
  state.refused = document.querySelector(".note.wrong")?.textContent ?? "";
  named("Lock AU1").click();
  const saved = app.projectText();
  press(canvas, "Delete");
  state.emptied = keys("AU1");
  app.open("again.json", saved);
  state.opened = keys("AU1");
  let steps = 0;
  while (app.history.undo()) steps++;
  state.steps = steps;
"""


@in_browser
def test_keys_are_edited_in_the_curves(probed, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), CURVES)
    start = "0.000 0.000,1.000 0.500,2.000 0.000"
    assert state["recorded"] == start
    assert state["dragged"] == state["redone"] == "0.000 0.000,1.300 0.900,2.000 0.000"
    assert float(state["weight"]) == 0.9
    assert state["undone"] == start, "a drag is one step"
    assert state["nudged"] == "0.000 0.000,1.200 1.000,2.000 0.000"
    assert state["boxed"] == "2"
    assert state["pasted"] == "0.000 0.000,0.500 0.000,1.200 1.000,1.700 1.000,2.000 0.000"
    assert state["deleted"] == "0.000 0.000,1.200 1.000,2.000 0.000"
    assert state["scaled"] == state["locked"] == state["opened"] == "0.000 0.000,1.200 0.500,2.000 0.000"
    assert state["eased"] == "linear,linear,linear"
    assert "AU1 is locked" in state["refused"]
    assert state["emptied"] == ""
    assert int(state["steps"]) < 25


LAYERS = """
  const layer = (name) => app.history.now.layers.find((each) => each.name === name);
  const bare = () => app.history.now.layers.map((each) => ({ ...each, tracks: new Map() }));
  app.animator.commit({ seconds: 1, fps: 10, layers: bare() });
  set(document.querySelector(".import-to"), "speech");
  app.open("curves.csv", "time_s,AU1,AU12\\n0,0.2,0\\n0.5,0.4,0.1\\n1,0.2,0\\n");
  state.landed = [...layer("speech").tracks.keys()].join() + layer("base").tracks.size;
  app.timeline.seek(0.5);
  named("Record").click();
  set(document.getElementById("unit-0"), 0.75);
  named("Record").click();
  state.kept = layer("hand").tracks.get("AU1").map((k) => k.left.toFixed(3)).join();
  app.timeline.seek(0.5);
  state.sum = app.pose[0].toFixed(6);
  named("Mute speech").click();
  state.muted = app.pose[0].toFixed(6);
  app.undo();
  state.unmuted = app.pose[0].toFixed(6);
  set(document.querySelector('[aria-label="Weight of hand"]'), 0.5);
  state.half = app.pose[0].toFixed(6);
  app.undo();
  named("Lock speech").click();
  app.openFile(new File(["time_s,AU1\\n0,1\\n1,1\\n"], "other.csv"));
  for (let i = 0; i < 60 && !document.querySelector(".note.wrong")?.textContent; i++) await pause(50);
  state.refused = document.querySelector(".note.wrong")?.textContent ?? "";
  named("Lock speech").click();
  await app.openFile(new File(["time_s,AU1\\n0,0.1\\n1,0.1\\n"], "other.csv"));
  app.timeline.seek(0.5);
  state.again = app.pose[0].toFixed(6);
  state.hand = layer("hand").tracks.get("AU1").map((k) => k.left.toFixed(3)).join();
  named("Add a layer").click();
  state.added = app.animator.active;
  app.undo();
  const text = app.projectText();
  app.open("back.json", text);
  state.same = String(app.projectText() === text);
"""


@in_browser
def test_layers_in_the_page(probed, rig_glb, metadata):
    state = probed(export_html(rig_glb, metadata), LAYERS)
    assert state["landed"] == "AU1,AU120"
    assert state["kept"] == "0.350" and float(state["sum"]) == 0.75
    assert float(state["muted"]) == pytest.approx(0.35, abs=1e-6)
    assert state["unmuted"] == state["sum"]
    assert float(state["half"]) == pytest.approx(0.4 + 0.5 * 0.35, abs=1e-6)
    assert "other.csv" in state["refused"] and "locked" in state["refused"]
    assert float(state["again"]) == pytest.approx(0.45, abs=1e-6) and state["hand"] == "0.350"
    assert state["added"] == "layer 1"
    assert state["same"] == "true"


@in_browser
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: run `make viewer`")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_timeline_is_accessible(open_page, rig_glb, metadata, scheme):
    """Keys, curves with chosen keys, and the panel of sound and speech."""
    body = """
      app.open("curves.csv", "time_s,AU1,AU12\\n0,0.2,0\\n0.5,0.4,0.1\\n1,0.2,0\\n");
      app.animator.choose("base");
      const only = { runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] };
      const look = async () => (await axe.run(document, only)).violations.map(
        (v) => `${v.id} ${v.nodes.map((n) => n.target).join(" ")}`).join("; ");
      state.keys = await look();
      named("Curves").click();
      app.timeline.curves.choose([{ unit: "AU1", time: 0 }]);
      named("Sound").click();
      await pause(100);
      state.curves = await look();
      const outside = [...document.querySelectorAll(".timeline button, .timeline input, .timeline select")].filter(
        (each) => each.offsetParent !== null && each.getBoundingClientRect().right > innerWidth + 1);
      state.outside = outside.length;
    """
    tab = open_page(export_html(rig_glb, metadata), scheme == "dark")
    tab.run(Path(AXE).read_text() + "; 0")
    state = tab.probe(body)
    assert state["keys"] == "" and state["curves"] == "" and state["outside"] == "0"
