"""Landmark files in the data sets' own bytes: labels before positions, tabs and CRLF, vertex indices."""

import gzip

import numpy as np
import pytest

from mesh4d import Landmarks, MeshError, MeshFormatError
from mesh4d.io.landmark_files import (
    IndexedLandmarks,
    PictureLandmarks,
    bu_landmark_names,
    read_bnd,
    read_landmarks,
    read_lm2,
    read_lm3,
    read_points,
    read_pse,
    write_bnd,
    write_lm2,
    write_lm3,
    write_points,
    write_pse,
)

LM3 = """# 3D Landmark File

3 landmarks:

Outer left eyebrow
-41.25 36.5 -18.125
Nose tip
1.5 -2 7e-1
Ear lobe right
60 -10 -80
"""
LM2 = """# 2D Landmark File

3 landmarks

Labels:
Outer left eyebrow
Nose tip
Ear lobe right

2D Image coordinates:
312.5 501
548.25 700.5
1e2 8
"""
ENDS = ["\n", "\r\n", "\r"]


def test_lm3_and_lm2_as_the_data_set_has_them(tmp_path):
    for end in ENDS:
        (tmp_path / "a.lm3").write_bytes(LM3.replace("\n", end).encode())
        (tmp_path / "a.lm2").write_bytes(LM2.replace("\n", end).encode())
        space, picture = read_lm3(tmp_path / "a.lm3"), read_lm2(tmp_path / "a.lm2")
        assert space.names == picture.names == ("Outer left eyebrow", "Nose tip", "Ear lobe right")
        assert space["Nose tip"].tolist() == [1.5, -2, 0.7]
        assert picture.points_px.tolist() == [[312.5, 501], [548.25, 700.5], [100, 8]]


def test_written_lm_files_have_the_same_lines(tmp_path):
    landmarks = Landmarks(("Nose tip", "Chin middle"), np.array([[1.5, -2.0, 0.1], [0.0, -60.0, 1e-7]]))
    write_lm3(landmarks, tmp_path / "a.lm3")
    assert (tmp_path / "a.lm3").read_text() == (
        "# 3D Landmark File\n\n2 landmarks:\n\nNose tip\n1.5 -2.0 0.1\nChin middle\n0.0 -60.0 1e-07\n"
    )
    write_lm2(PictureLandmarks(landmarks.names, landmarks.points[:, :2]), tmp_path / "a.lm2")
    assert (tmp_path / "a.lm2").read_text() == (
        "# 2D Landmark File\n\n2 landmarks\n\nLabels:\nNose tip\nChin middle\n\n"
        "2D Image coordinates:\n1.5 -2.0\n0.0 -60.0\n"
    )
    np.testing.assert_array_equal(read_lm3(tmp_path / "a.lm3").points, landmarks.points)
    np.testing.assert_array_equal(read_lm2(tmp_path / "a.lm2").points_px, landmarks.points[:, :2])
    with pytest.raises(MeshError, match="one line"):
        write_lm3(Landmarks(("Nose\ntip",), np.zeros((1, 3))), tmp_path / "b.lm3")


def test_no_landmarks_at_all(tmp_path):
    write_lm3(Landmarks((), np.zeros((0, 3))), tmp_path / "a.lm3")
    write_lm2(PictureLandmarks((), np.zeros((0, 2))), tmp_path / "a.lm2")
    assert read_lm3(tmp_path / "a.lm3").points.shape == (0, 3)
    assert read_lm2(tmp_path / "a.lm2").points_px.shape == (0, 2)


def bnd() -> IndexedLandmarks:
    rng = np.random.default_rng(0)
    points = (60 * rng.normal(size=(83, 3))).round(6)
    return IndexedLandmarks(Landmarks(bu_landmark_names(), points), rng.integers(0, 38_124, 83))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("separator", [" ", "\t", "\t\t", "  \t"])
def test_bnd_in_all_spacings(tmp_path, separator, end):
    marks = bnd()
    rows = [separator.join([str(i), *(f"{x:.6f}" for x in p)]) for i, p in zip(
        marks.vertex_ids.tolist(), marks.landmarks.points.tolist(), strict=True)]  # fmt: skip
    (tmp_path / "000.bnd").write_bytes((end.join(rows) + end).encode())
    back = read_bnd(tmp_path / "000.bnd")
    np.testing.assert_array_equal(back.landmarks.points, marks.landmarks.points)
    np.testing.assert_array_equal(back.vertex_ids, marks.vertex_ids)
    assert back.landmarks.names == bu_landmark_names()


def test_bnd_writers_have_the_two_dialects(tmp_path):
    for separator, between in (("tabs", "\t\t"), ("spaces", " ")):
        write_bnd(bnd(), tmp_path / "a.bnd", separator=separator)
        lines = (tmp_path / "a.bnd").read_text().split("\n")
        assert len(lines) == 84 and lines[-1] == ""
        assert all(len(line.split(between)) == 4 and len(line.split()) == 4 for line in lines[:-1])
        np.testing.assert_array_equal(read_bnd(tmp_path / "a.bnd").vertex_ids, bnd().vertex_ids)
    few = IndexedLandmarks(Landmarks(("a",), np.zeros((1, 3))), np.array([0]))
    with pytest.raises(MeshError, match="83 points, found 1"):
        write_bnd(few, tmp_path / "b.bnd")


def test_names_of_the_83_points():
    names = bu_landmark_names()
    assert len(names) == len(set(names)) == 83
    assert (names[0], names[8], names[16], names[36], names[48], names[75]) == (
        "right eye 0", "left eye 8", "brow 16", "nose 36", "mouth 48", "contour 75",
    )  # fmt: skip


def test_pse_and_points(tmp_path):
    points = np.arange(24.0).reshape(8, 3)
    pose = IndexedLandmarks(Landmarks(tuple("01234567"), points), np.arange(8) * 100)
    write_pse(pose, tmp_path / "a.pse")
    back = read_pse(tmp_path / "a.pse")
    np.testing.assert_array_equal(back.landmarks.points, points)
    assert back.vertex_ids.tolist() == pose.vertex_ids.tolist() and len(back.landmarks.names) == 8
    raw = Landmarks(tuple(map(str, range(84))), np.random.default_rng(1).normal(size=(84, 3)))
    write_points(raw, tmp_path / "F0001_AN01WH_RAW_84_LMS.txt")
    again = read_points(tmp_path / "F0001_AN01WH_RAW_84_LMS.txt")
    assert again.names == raw.names
    np.testing.assert_array_equal(again.points, raw.points)


def test_suffix_decides_and_gz_is_read(tmp_path):
    (tmp_path / "a.LM3.gz").write_bytes(gzip.compress(LM3.encode()))
    assert read_landmarks(tmp_path / "a.LM3.gz").names[1] == "Nose tip"
    write_bnd(bnd(), tmp_path / "a.bnd.gz")
    assert len(read_landmarks(tmp_path / "a.bnd.gz").names) == 83
    with pytest.raises(MeshFormatError, match=r"\.lm3, \.bnd"):
        read_landmarks(tmp_path / "a.lm2")


@pytest.mark.parametrize(
    ("read", "text", "place"),
    [
        (read_lm3, "", "file"), (read_lm3, "\n\n", "file"), (read_lm3, "# 3D Landmark File\n", "line 1"),
        (read_lm3, LM3.replace("3 landmarks", "4 landmarks"), "line 5"), (read_lm3, LM3.replace("7e-1", "x"), "line 8"),
        (read_lm3, LM3.replace("-2 7e-1", "-2"), "line 8"), (read_lm3, LM3.replace("-2 7e-1", "-2 nan"), "line 8"),
        (read_lm3, LM3.replace("Ear lobe right", "Nose tip"), "line 9"), (read_lm3, LM3[: LM3.index("Ear")], "line 5"),
        (read_lm3, LM3.replace("3 landmarks:", "many landmarks:"), "line 3"),
        (read_lm3, LM3.replace("3 landmarks:", "999999999 landmarks:"), "line 3"),
        (read_lm2, LM2.replace("Labels:", "Names:"), "line 5"), (read_lm2, LM2.replace("2D Image", "3D"), "line 10"),
        (read_lm2, LM2.replace("Nose tip\n", ""), "line 5"), (read_lm2, LM2.replace("548.25", "a"), "line 12"),
        (read_bnd, "1 2 3 4\n" * 82, "file"), (read_bnd, "1 2 3 4\n" * 84, "file"),
        (read_bnd, "1 2 3 4\n" * 82 + "1 2 3\n", "line 83"), (read_bnd, "1 2 3 4\n" * 82 + "1.5 2 3 4\n", "line 83"),
        (read_bnd, "1 2 3 4\n" * 82 + "-1 2 3 4\n", "line 83"), (read_bnd, "1 2 3 inf\n" * 83, "line 1"),
        (read_bnd, "9e9 2 3 4\n" * 83, "line 1"), (read_pse, "1 2 3\n", "line 1"), (read_points, "1 2\n", "line 1"),
        (read_points, "1 2 3\n" * 200_000, "file"),
    ],
)  # fmt: skip
def test_errors_name_the_line(tmp_path, read, text, place):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(MeshFormatError) as caught:
        read(tmp_path / "a.txt")
    assert (caught.value.source, caught.value.place) == (str(tmp_path / "a.txt"), place)
