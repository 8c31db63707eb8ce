"""Keys, projects, curve files, the pad and ARKit's shapes as the page works them out, in Node, against aublend."""

import shutil

import numpy as np
import pytest

from aublend import AU_NAMES, arkit_from_au, au_from_arkit, pad_weights, read_curves, write_curves
from aublend.curves import AUCurves, half_weights
from viewer.page import SCRIPT_NAME, STATIC_FOLDER

NODE = shutil.which("node")
pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(not (STATIC_FOLDER / SCRIPT_NAME).exists(), reason="the client is not built: run `make viewer`"),
]


def moving_curves() -> AUCurves:
    rng = np.random.default_rng(5)
    names = ("AU1", "AU4L", "AU12L", "AU12R", "AU26", "AU30L", "AU45", "AU61")
    time = np.arange(40) / 30
    return AUCurves(names, 0.5 + 0.5 * np.sin(time[:, None] * rng.uniform(2, 6, len(names))), 30.0)


def test_pad_is_that_of_aublend(page):
    rng = np.random.default_rng(1)
    places = [(0.0, 0.0), (0.8, 0.5), (-1.0, -1.0), (0.3, 0.85), *rng.uniform(-1, 1, (40, 2)).tolist()]
    found = page("return input.map(([v, a]) => page.padWeights(metadata.pad, v, a));", places)
    for place, weights in zip(places, found, strict=True):
        expected = half_weights(pad_weights(*place))
        np.testing.assert_allclose(half_weights({unit: float(w) for unit, w in weights.items()}), expected, atol=1e-12)


def test_arkit_shapes_are_those_of_aublend(page):
    rng = np.random.default_rng(2)
    curves = AUCurves(AU_NAMES, rng.uniform(0, 1, (5, 32)), 30.0)
    expected = arkit_from_au(curves)
    poses = curves.halves().reshape(5, -1).tolist()
    found = page("return input.map((p) => list(page.arkitFromPose(metadata, units, p)));", poses)
    for frame, shapes in enumerate(found):
        np.testing.assert_allclose([dict(shapes)[name] for name in expected.names], expected.weights[frame], atol=1e-12)
    back = page("return input.map((s) => list(page.poseFromArkit(metadata, units, new Map(s))));", found)
    np.testing.assert_allclose(np.array(back).reshape(5, 2, 32), au_from_arkit(expected).halves(), atol=0.011)


@pytest.mark.parametrize("swap", [False, True])
def test_live_link_file_is_read_by_name(page, tmp_path, swap):
    """JawRight stands before JawLeft in the app's files, and the other way round in others'."""
    write_curves(moving_curves(), tmp_path / "take.csv", "livelink")
    if swap:
        rows = [line.split(",") for line in (tmp_path / "take.csv").read_text().splitlines()]
        right, left = rows[0].index("JawRight"), rows[0].index("JawLeft")
        assert right < left
        for row in rows:
            row[right], row[left] = row[left], row[right]
        (tmp_path / "take.csv").write_text("\n".join(",".join(row) for row in rows))
    found = page("const f = read(input); return [f.times, f.poses.map(list)];", (tmp_path / "take.csv").read_text())
    expected = read_curves(tmp_path / "take.csv")
    times, poses = np.array(found[0]), np.array(found[1]).reshape(-1, 2, 32)
    np.testing.assert_allclose(times - times[0], np.arange(40) / 30, atol=2e-4)
    np.testing.assert_allclose(poses, expected.halves(), atol=0.011)
    assert poses[:, :, AU_NAMES.index("AU30L")].max() > 0.9 and not poses[:, :, AU_NAMES.index("AU30R")].any()


def test_own_curves_go_there_and_back(page, tmp_path):
    curves = moving_curves()
    write_curves(curves, tmp_path / "ours.csv")
    text = page("return page.writeCurves(read(input).poses, 30, units);", (tmp_path / "ours.csv").read_text())
    (tmp_path / "back.csv").write_text(text)
    back = read_curves(tmp_path / "back.csv")
    assert "AU4L" in back.names and "AU4" not in back.names and "AU1" in back.names
    np.testing.assert_allclose(back.halves(), curves.halves(), atol=2e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("frame,AU1\n0,1\n", "line 1: expected the header"),
        ("time_s,AU1\n0,1\n0.1,x\n", "line 3, column AU1"),
        ("time_s,AU1\n0,1\n0.1\n", "line 3: expected 2 cells"),
        ("time_s,AU1\n0.1,1\n0,1\n", "line 3: expected a later time"),
        ("time_s,AU1\n", "no rows"),
        ("Timecode,JawOpen\n00:00:00:01.0,1\n", "lacks eyeBlinkLeft"),
    ],
)
def test_broken_curves_are_explained(page, text, message):
    with pytest.raises(RuntimeError, match=message):
        page("return read(input);", text)


def test_keys_join_by_their_ease_and_stay_within_their_range(page):
    keys = [[0, 0.0], [1, 1.0], [2, 1.0], [4, 0.2]]
    body = """
      const track = (ease) => input.map(([time, v]) => ({ time, left: v, right: v / 2, ease }));
      const times = Array.from({ length: 51 }, (_, i) => i * 0.1 - 0.5);
      return ["linear", "step", "bezier"].map((ease) => times.map((t) => page.sampleTrack(track(ease), t)));
    """
    linear, step, bezier = np.array(page(body, keys))
    times = np.arange(51) * 0.1 - 0.5
    np.testing.assert_allclose(linear[:, 0], np.interp(times, *np.array(keys).T), atol=1e-9)
    np.testing.assert_allclose(linear[:, 1], linear[:, 0] / 2, atol=1e-9)
    assert set(step[:, 0].round(6)) == {0.0, 1.0, 0.2}
    assert bezier.min() >= -1e-12 and bezier[:, 0].max() <= 1 + 1e-12
    assert (np.diff(bezier[times < 1, 0]) >= -1e-12).all() and abs(bezier[10, 0] - 0.5) < 1e-9


def test_thinning_keeps_within_its_tolerance(page):
    body = """
      const ease = "linear";
      const keys = Array.from({ length: 200 }, (_, i) => ({ time: i / 30, left: Math.sin(i / 20), right: 0, ease }));
      const thin = page.thinned(keys, 0.01);
      return [thin.length, Math.max(...keys.map((k) => Math.abs(page.sampleTrack(thin, k.time)[0] - k.left)))];
    """
    count, worst = page(body)
    assert count < 60 and worst <= 0.01 + 1e-9


def test_project_goes_there_and_back_and_names_what_is_missing(page):
    body = """
      const frames = read("time_s,AU1,AU12L\\n0,0,0\\n0.5,1,0.2\\n1,0,1\\n");
      const made = page.withFrames(page.emptyProject(units.length), units, frames.times, frames.poses);
      const text = page.projectText(made, units);
      const { project } = page.readProject(text, units);
      const other = page.readProject(text, ["AU1"]);
      return [page.projectText(project, units) === text, other.missing, list(page.poseAt(project, units, 0.75))];
    """
    same, missing, pose = page(body)
    assert same and missing == ["AU12"]
    np.testing.assert_allclose(np.reshape(pose, (2, 32)), half_weights({"AU1": 0.5, "AU12L": 0.6}), atol=1e-9)


@pytest.mark.parametrize("change", ['p.format = "x"', "p.layers[0].tracks.AU1[0].time = -1", "p.fps = null",
                                    'p.layers[0].tracks.AU1[0].ease = "jump"', "p.pose = []", 'p.pose.AU1 = ["x", 0]',
                                    "p.layers[1].name = p.layers[0].name", "p.layers = {}", "p.limits = [0]",
                                    "p.layers[0].tracks.AU1[0].leave = { time: -1, left: 0, right: 0 }",
                                    "p.sound = { name: 'a' }",
                                    "p.phones = [{ symbol: 'B', start_s: 2, end_s: 1 }]"])  # fmt: skip
def test_broken_projects_are_refused(page, change):
    body = f"""
      const p = JSON.parse(page.projectText(page.emptyProject(units.length), units));
      p.layers[0].tracks = {{ AU1: [{{ time: 0, left: 1, right: 1, ease: "linear" }}] }};
      page.readProject(JSON.stringify(p), units);
      {change};
      try {{ page.readProject(JSON.stringify(p), units); }} catch (error) {{ return error.message; }}
      return null;
    """
    assert page(body)


def test_mirror_swaps_sides_and_directions(page):
    body = "return list(page.mirrored(Float64Array.from(input), units));"
    pose = half_weights({"AU12L": 0.7, "AU30L": 0.4, "AU61": 0.3, "AU1": 0.2})
    expected = half_weights({"AU12R": 0.7, "AU30R": 0.4, "AU62": 0.3, "AU1": 0.2})
    np.testing.assert_allclose(np.reshape(page(body, pose.ravel().tolist()), (2, 32)), expected)


def test_history_merges_a_gesture_into_one_step(page):
    body = """
      const h = new page.History(0);
      h.commit(1, "a"); h.commit(2, "a"); h.settle(); h.commit(3, "a"); h.commit(4);
      const seen = [h.now];
      while (h.undo()) seen.push(h.now);
      h.redo(); seen.push(h.now); h.commit(9); seen.push(h.canRedo);
      return seen;
    """
    assert page(body) == [4, 3, 2, 0, 2, False]


def test_what_rounding_leaves_of_zero_is_zero(page):
    """Other programs write -1e-15 for nothing: no weight goes below zero by it, and limits stay where they are."""
    body = """
      const poses = input.map((row) => Float64Array.from(row));
      const project = page.withFrames(page.emptyProject(1), ["AU12"], [0, 1, 2], poses);
      return { limits: project.limits, shown: [0, 0.5, 1, 1.5, 2].map((t) => list(page.poseAt(project, ["AU12"], t))) };
    """
    found = page(body, [[-1e-15, -2e-13], [1.0, 1.0], [-1e-9, 0.0]])
    assert found["limits"] == [0, 1]
    assert found["shown"] == [[0, 0], [0.5, 0.5], [1, 1], [0.5, 0.5], [0, 0]]


def test_a_phone_is_named_anew(page):
    common = {"word": "", "stress": 0, "confidence": 0.2}
    phones = [{"symbol": name, "start_s": at, "end_s": at + 1, **common} for at, name in enumerate(("SIL", "B"))]
    known = ["SIL", "B", "P"]
    body = "return ['p ', '', 'B', 'XX'].map((typed) => page.withSymbol(input[0], 1, typed, input[1]));"
    renamed, silent, same, unknown = page(body, [phones, known])
    assert [(p["symbol"], p["confidence"]) for p in renamed] == [("SIL", 0.2), ("P", 1)]
    assert silent[1]["symbol"] == "SIL" and same == phones and unknown is None
