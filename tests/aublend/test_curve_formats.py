import csv
import logging

import numpy as np
import pytest

from aublend import AUCurves, read_curves, write_curves
from aublend.arkit import ARKIT_NAMES, ArkitCurves
from aublend.curve_files import read_live_link, read_openface, read_openface3, read_pyfeat, write_live_link
from mesh4d.errors import MeshFormatError

APP_HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,"
    "MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,"
    "MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,"
    "BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,"
    "HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)


def take(path, rows: list[tuple[str, dict[str, str]]], header: str = APP_HEADER):
    names = header.split(",")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for code, values in rows:
            given = {"Timecode": code, "BlendShapeCount": "61"} | values
            writer.writerow([given.get(name, "0.0000000000") for name in names])
    return path


def app_codes(n: int, start: int = 31652) -> list[str]:
    """Time codes of a 30 fps take as the app writes them: sixtieths, two a row."""
    ticks = [start + 2000 * k for k in range(n)]
    return [f"13:13:{4 + t // 60000:02d}:{t % 60000 / 1000:06.3f}" for t in ticks]


# --- Live Link Face ---------------------------------------------------------------------------------------------------


def test_live_link_header_and_cells_are_the_apps(tmp_path):
    curves = AUCurves(("AU30R", "AU12L"), np.array([[0.25, 0.5], [0.0, 1.0]]), 30.0)
    write_curves(curves, tmp_path / "a.csv", "livelink")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0] == APP_HEADER
    rows = list(csv.DictReader(lines))
    assert all(len(line.split(",")) == 63 for line in lines)
    assert [row["Timecode"] for row in rows] == ["00:00:00:00.000", "00:00:00:02.000"]
    assert rows[0]["BlendShapeCount"] == "61"
    assert rows[0]["JawRight"] == "0.2500000000" and rows[0]["JawLeft"] == "0.0000000000"
    assert rows[1]["MouthSmileLeft"] == "1.0000000000" and rows[1]["MouthSmileRight"] == "0.0000000000"


def test_live_link_round_trip_keeps_ten_decimals_values_beyond_one_and_rotations(tmp_path):
    rng = np.random.default_rng(0)
    curves = ArkitCurves(ARKIT_NAMES, rng.random((90, 52)) * 1.06, 30.0, rng.normal(size=(90, 9)) * 0.3)
    write_live_link(curves, tmp_path / "a.csv")
    back = read_live_link(tmp_path / "a.csv")
    assert back.fps == 30.0
    for name in ARKIT_NAMES:
        np.testing.assert_allclose(back.weight(name), curves.weight(name), atol=5.1e-11)
    assert back.weights.max() > 1
    assert back.rotations is not None and curves.rotations is not None
    np.testing.assert_allclose(back.rotations, curves.rotations, atol=5.1e-11)


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0, 29.97])
def test_live_link_times_survive(tmp_path, fps):
    write_curves(AUCurves(("AU12",), np.linspace(0, 1, 200)[:, None], fps), tmp_path / "a.csv", "livelink")
    back = read_curves(tmp_path / "a.csv")
    assert back.fps == fps and len(back) == 200


def test_live_link_is_read_by_name_whatever_the_order(tmp_path):
    left_first = APP_HEADER.replace("JawRight,JawLeft", "JawLeft,JawRight").replace(
        "MouthRight,MouthLeft", "MouthLeft,MouthRight"
    )
    rows = [(code, {"JawLeft": "0.7", "EyeLookInLeft": "1.05"}) for code in app_codes(40)]
    for header in (APP_HEADER, left_first, ",".join(sorted(APP_HEADER.split(",")))):
        curves = read_live_link(take(tmp_path / "a.csv", rows, header))
        assert curves.fps == 30.0, "FF counts sixtieths"
        assert (curves.weight("jawLeft") == 0.7).all() and not curves.weight("jawRight").any()
        assert (curves.weight("eyeLookInLeft") == 1.05).all()
    units = read_curves(tmp_path / "a.csv")
    assert (units.weights[:, units.names.index("AU30L")] == 0.7).all()


def test_live_link_dropped_and_empty_rows_are_filled(tmp_path):
    rows = [(code, {"JawOpen": f"{k / 100}"}) for k, code in enumerate(app_codes(61))]
    rows[30][1]["JawOpen"] = ""
    curves = read_live_link(take(tmp_path / "a.csv", rows[:40] + rows[43:]))
    assert len(curves) == 61 and curves.fps == 30.0
    np.testing.assert_allclose(curves.weight("jawOpen"), np.arange(61) / 100, atol=1e-6)


def test_live_link_without_tongue_and_rotations_and_over_midnight(tmp_path):
    header = APP_HEADER.split(",TongueOut")[0]
    codes = ["23:59:59:56.000", "23:59:59:58.000", "00:00:00:00.000", "00:00:00:02.000"]
    curves = read_live_link(take(tmp_path / "a.csv", [(code, {"JawOpen": "1"}) for code in codes], header))
    assert len(curves) == 4 and curves.fps == 30.0 and curves.rotations is None
    assert not curves.weight("tongueOut").any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("MouthSmileLeft,", "MouthGrinLeft,"), "line 1.*no mouthSmileLeft"),
        (lambda text: text.replace("JawOpen", "JawLeft"), "line 1.*twice"),
        (lambda text: text.replace("0.5,", "half,", 1), "line 2, column JawOpen"),
        (lambda text: text.replace("13:13:04:33.652", "13:13:04"), "line 3, column Timecode"),
        (lambda text: text.replace("13:13:04:33.652", "13:13:04:11.652"), "line 3, column Timecode"),
        (lambda text: text.replace("13:13:04:35.652", "17:13:04:35.652"), "line 4, column Timecode"),
        (lambda text: text.rsplit(",", 1)[0] + "\n", "line 4.*63 cells"),
        (lambda text: text.replace("0.5,", "inf,", 1), "line 2, column JawOpen"),
    ],
)
def test_broken_live_link_files_say_where(tmp_path, spoil, message):
    path = take(tmp_path / "a.csv", [(code, {"JawOpen": "0.5"}) for code in app_codes(3)])
    path.write_text(spoil(path.read_text()))
    with pytest.raises(MeshFormatError, match=message):
        read_curves(path)


# --- OpenFace 2 -------------------------------------------------------------------------------------------------------


def openface(path, rows: list[str], header: str = "frame, face_id, timestamp, confidence, success, AU12_r, AU28_c"):
    path.write_text(header + "\n" + "\n".join(rows) + "\n")
    return path


def test_openface_spaces_rounded_times_and_scale(tmp_path):
    rows = [f"{k + 1}, 0, {k / 30:.3f}, 0.98, 1, {k / 20:.2f}, {k % 2}.00" for k in range(100)]
    curves = read_curves(openface(tmp_path / "a.csv", rows))
    assert curves.names == ("AU12", "AU28") and curves.fps == 30.0 and len(curves) == 100
    np.testing.assert_allclose(curves.weights[:, 0], np.round(np.arange(100) / 20, 2) / 5, atol=0.0021)
    np.testing.assert_array_equal(curves.weights[:, 1], np.arange(100) % 2)


def test_openface_failed_frames_are_interpolated_and_reported(tmp_path, caplog):
    rows = [f"{k + 1},0,{k / 25:.3f},0.98,1,{k / 10:.2f},0" for k in range(50)]
    for k in (3, 4, 5):
        rows[k] = f"{k + 1},0,{k / 25:.3f},0.00,0,0.00,0"
    rows[20] = f"21,0,{20 / 25:.3f},0.11,1,5.00,0"
    path = openface(tmp_path / "a.csv", rows[:40] + rows[42:])
    track = read_openface(path)
    assert track.curves.fps == 25.0 and len(track.curves) == 50, "two rows were left out"
    np.testing.assert_allclose(track.curves.weights[:, 0], np.arange(50) / 50, atol=1e-3)
    assert list(np.flatnonzero(~track.tracked)) == [3, 4, 5, 20, 40, 41]
    assert "6 of 50 frames not tracked (frames 3-5, 20, 40-41" in track.report()
    with caplog.at_level(logging.WARNING):
        read_curves(path)
    assert "frames 3-5" in caplog.text


def test_openface_written_file_comes_back(tmp_path, caplog):
    curves = AUCurves(("AU12L", "AU12R", "AU45", "AU18"), np.random.default_rng(2).random((80, 4)), 29.97)
    write_curves(curves, tmp_path / "a.csv", "openface")
    assert "AU18" in caplog.text, "what the format cannot hold is said"
    header = (tmp_path / "a.csv").read_text().split("\n")[0].split(",")
    assert header[:5] == ["frame", "face_id", "timestamp", "confidence", "success"]
    assert sum(name.endswith("_r") for name in header) == 17 and "AU01_r" in header and "pose_Rx" in header
    back = read_curves(tmp_path / "a.csv")
    assert back.fps == 29.97
    np.testing.assert_allclose(
        back.weights[:, back.names.index("AU12")], curves.weights[:, :2].mean(axis=1), atol=1.1e-5
    )
    np.testing.assert_allclose(back.weights[:, back.names.index("AU45")], curves.weights[:, 2], atol=1.1e-5)


def test_openface_pictures_without_times_get_the_default_rate(tmp_path):
    curves = read_curves(openface(tmp_path / "a.csv", [f"{k},0,0.0,0.9,1,2.5,0" for k in range(5)]))
    assert curves.fps == 30.0 and (curves.weights[:, 0] == 0.5).all()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("3,0,0.066,0.9,1,oops,0", "line 4, column AU12_r.*'oops'"),
        ("3,0,0.066,0.9,1,25.0,0", "line 4, column AU12_r.*0 to 5"),
        ("3,0,0.020,0.9,1,1.0,0", "line 4, column timestamp.*later"),
        ("3,0,1e12,0.9,1,1.0,0", "line 4, column timestamp.*gap"),
        ("3,1,0.066,0.9,1,1.0,0", "column face_id.*one face"),
        ("3,0,0.066,0.9", "line 4.*7 cells"),
    ],
)
def test_broken_openface_files_say_where(tmp_path, row, message):
    good = ["1,0,0.000,0.9,1,1.0,0", "2,0,0.033,0.9,1,1.0,0"]
    with pytest.raises(MeshFormatError, match=message):
        read_curves(openface(tmp_path / "a.csv", [*good, row]))


def test_openface_without_any_face_is_refused(tmp_path):
    with pytest.raises(MeshFormatError, match="tracked face"):
        read_curves(openface(tmp_path / "a.csv", ["1,0,0.0,0.0,0,0,0", "2,0,0.033,0.0,0,0,0"]))


# --- OpenFace 3 -------------------------------------------------------------------------------------------------------

OPENFACE3 = "timestamp,video_path,frame_index,face_id,face_detection,landmarks,emotion,gaze_yaw,gaze_pitch,action_units"


def openface3(path, rows: list[tuple[int, str, str]]):
    """A file as `openface detect-video` writes it: pandas quotes the lists, and leaves cells empty without a face."""
    cells = [
        f'2025-06-01 10:00:00,v.mp4,{n},{face},"[1.0, 2.0]",,{0 if face else ""},0.1,-0.2,{au}' for n, face, au in rows
    ]
    path.write_text("\n".join([OPENFACE3, *cells]) + "\n")
    return path


def units3(*values: float) -> str:
    return f'"{[list(values)]}"'


def test_openface3_lists_become_named_units(tmp_path, caplog):
    first, last = (0.1, 0.2, 0.3, 0.4, -0.2, 0.6, 0.7, 0.8), (0.3, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0)
    path = openface3(tmp_path / "a.csv", [(0, "0", units3(*first)), (1, "", ""), (2, "0", units3(*last))])
    curves = read_curves(path)
    assert curves.names == ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26") and curves.fps == 30.0
    np.testing.assert_allclose(curves.weights[0], np.maximum(first, 0))
    np.testing.assert_allclose(curves.weights[1], (np.maximum(first, 0) + last) / 2)
    assert "1 of 3 frames not tracked" in caplog.text
    assert read_openface3(path, fps=25.0).curves.fps == 25.0


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('"[[0.1, 0.2]]"', "line 3.*list of 8 numbers"),
        ('"__import__(1)"', "line 3.*list of 8 numbers"),
        ("0.5", "line 3.*list of 8 numbers"),
        (f'"{"[" * 4000}"', "line 3.*list of 8 numbers"),
        (units3(0, 0, 0, 0, 0, 0, 0, 7.0), "line 3.*AU26.*0 to 1"),
    ],
)
def test_broken_openface3_cells_say_where(tmp_path, cell, message):
    path = openface3(tmp_path / "a.csv", [(0, "0", units3(*[0.5] * 8)), (1, "0", cell)])
    with pytest.raises(MeshFormatError, match=message):
        read_curves(path)


def test_openface3_with_two_faces_is_refused(tmp_path):
    row = units3(*[0.5] * 8)
    with pytest.raises(MeshFormatError, match="one face"):
        read_curves(openface3(tmp_path / "a.csv", [(0, "0", row), (0, "1", row)]))


# --- py-feat and ours -------------------------------------------------------------------------------------------------


def test_pyfeat_columns_and_lost_rows(tmp_path):
    rows = [f"{k},0.9,{k / 10},{1 - k / 10},happy" for k in range(0, 10)]
    rows[4] = "4,,,,"
    path = tmp_path / "a.csv"
    path.write_text("frame,FaceScore,AU01,AU43,emotion\n" + "\n".join(rows) + "\n")
    curves = read_curves(path)
    assert curves.names == ("AU1", "AU45") and curves.fps == 30.0
    np.testing.assert_allclose(curves.weights[:, 0], np.arange(10) / 10, atol=1e-9)
    track = read_pyfeat(path, fps=25.0)
    assert track.curves.fps == 25.0 and list(np.flatnonzero(~track.tracked)) == [4]


def test_pyfeat_with_two_faces_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("frame,AU01\n0,0.1\n0,0.9\n1,0.1\n1,0.9\n")
    with pytest.raises(MeshFormatError, match="line 3, column frame"):
        read_curves(tmp_path / "a.csv")


def test_ours_stays_exact_and_sided(tmp_path):
    curves = AUCurves(("AU12L", "AU4"), np.round(np.random.default_rng(3).random((30, 2)), 5), 25.0)
    write_curves(curves, tmp_path / "a.csv")
    back = read_curves(tmp_path / "a.csv")
    assert back.names == curves.names and back.fps == 25.0
    np.testing.assert_array_equal(back.weights, curves.weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header"),
        (b"time_s,AU1\n", "at least one row"),
        (b"time_s,AU99\n0,1\n", "line 1.*AU99"),
        (b"time_s,AU1\n0,1\n\n0.04,x\n", "line 4, column AU1"),
        (b"time_s,AU1\n0,1\n0.04,1\n0.08,1\n0.2,1\n", "line 5, column time_s"),
        (b"a,b,c\n1,2,3\n", "line 1.*Live Link"),
        (b"time_s,AU1\n0,\xff\xfe\n", "UTF-8"),
        (b"time_s,AU1,AU1\n0,1,1\n", "twice"),
        (b'time_s,AU1\n0,"' + b"x" * 200_000 + b'"\n', "comma separated"),
    ],
)
def test_hostile_files_are_format_errors(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(MeshFormatError, match=message):
        read_curves(tmp_path / "a.csv")
