"""Mimics of every kind, written and read back: layouts, labels, landmarks, pictures, tables, reports."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from mesh4d.datasets.dataset import Dataset
from mesh4d.datasets.mimic import write_mimic
from mesh4d.datasets.performance import MimicPlan
from mesh4d.datasets.problems import DatasetError
from mesh4d.datasets.registry import ADAPTERS, canonical_kind, detect_kind, open_dataset
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.datasets.validate import report_text, validate_dataset
from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.bnt import read_range_image
from mesh4d.io.frame_folder import FrameFolder
from mesh4d.io.landmark_files import read_bnd, read_lm2, read_lm3, write_bnd

COUNTS = {"bu3dfe": 3 * 13, "bosphorus": 3 * 11, "bu4dfe": 18, "bp4d": 24, "4dme": 15, "synthetic": 27}
"""Records of 3 subjects."""


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_mimic_indexes_validates_and_reads(kind, mimic):
    dataset = open_dataset(kind, mimic(kind))
    report = validate_dataset(dataset, depth="all")
    assert (len(dataset), len(dataset.subjects)) == (COUNTS[kind], 3)
    assert report.errors == 0, report_text(report)
    assert report.frames_read == report.frames
    assert report.bytes > 0
    assert sum(report.classes.values()) == COUNTS[kind]
    text = report_text(report)
    assert str(mimic(kind)) not in text
    assert report.files_digest in text
    assert json.loads(json.dumps(report.to_json()))["records"] == COUNTS[kind]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_table_survives_parquet(kind, mimic, tmp_path):
    dataset = open_dataset(kind, mimic(kind))
    dataset.to_parquet(tmp_path / "t.parquet")
    again = Dataset.from_parquet(tmp_path / "t.parquet", mimic(kind))
    assert (again.kind, again.records, again.digest()) == (dataset.kind, dataset.records, dataset.digest())


@pytest.mark.parametrize("kind", ["bu4dfe", "bp4d", "4dme"])
def test_sequences_are_lazy_and_change_topology(kind, mimic):
    dataset = open_dataset(kind, mimic(kind))
    frames = dataset.read(dataset[1])
    assert isinstance(frames, FrameFolder)
    meshes = list(frames)
    assert len(meshes) == len(dataset[1].frames) == 4
    assert len({mesh.n_vertices for mesh in meshes}) > 1


def test_bu3dfe_reads_polygons_seams_picture_and_fitting_landmarks(mimic):
    cropped, raw = (open_dataset("bu3dfe", mimic("bu3dfe"), mesh=mesh) for mesh in ("F3D", "RAW"))
    mesh = cropped.read(cropped.named("F0001_HA04"))
    assert {len(polygon) for polygon in mesh.polygons()} == {3, 4}
    assert len(mesh.uv) > mesh.n_vertices
    assert mesh.texture.shape == (32, 64, 3)
    ids = read_bnd(cropped.path_of(cropped.named("F0001_HA04").landmarks[0])).vertex_ids
    np.testing.assert_allclose(mesh.landmarks.points, mesh.vertices[ids], atol=1e-6)
    whole = raw.read(raw.named("F0001_HA04"))
    assert len(whole.landmarks.names) == 84
    distance = np.linalg.norm(whole.vertices[None] - whole.landmarks.points[:, None], axis=2).min(axis=1)
    assert distance.max() < 1e-5
    assert raw.read_landmarks(raw.named("M0001_HA04")).points.shape == (8, 3)
    assert b"\t\t" in cropped.path_of(cropped.named("F0001_HA04").landmarks[0]).read_bytes()


def test_bosphorus_landmarks_are_grid_samples_and_fit_the_picture(mimic):
    dataset = open_dataset("bosphorus", mimic("bosphorus"))
    record = dataset.named("bs000_N_N_0")
    path = dataset.path_of(record.frames[0])
    marks, image = read_lm3(path.with_suffix(".lm3")), read_range_image(path)
    assert b"\r\n" in path.with_suffix(".lm3").read_bytes()
    distance = np.linalg.norm(image.xyz[None] - marks.points[:, None], axis=2)
    assert distance.min(axis=1).max() == 0.0
    pixels = image.uv[distance.argmin(axis=1)] * 32
    by_label = read_lm2(path.with_suffix(".lm2"))
    assert by_label.names == marks.names
    np.testing.assert_allclose(by_label.points_px, pixels, atol=3)
    assert dataset.read(record).texture.shape == (32, 32, 3)


def test_bp4d_finds_pictures_without_a_material_file(mimic):
    dataset = open_dataset("bp4d", mimic("bp4d"))
    record = dataset.named("F001/T1")
    assert {len(name.rpartition("/")[2]) for r in dataset for name in r.frames} == {len("000.obj"), len("0000.obj")}
    assert dataset.read_frame(record).texture.shape == (32, 32, 3)
    assert len(record.frames) == 3  # one is lost
    labels = [value for r in dataset for values in r.au_frames.values() for value in values]
    assert None in labels and {0.0, 1.0} <= set(labels)


def test_the_same_plan_writes_the_same_files_and_other_seeds_other_people(actor, tmp_path):
    scan = ScanStyle(step_mm=9.0, picture_px=16)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_mimic("bosphorus", tmp_path / name, actor, MimicPlan(subjects=1, seed=seed, scan=scan))
    a, b, c = (sorted(path for path in (tmp_path / name).rglob("*.bnt")) for name in "abc")
    assert [path.read_bytes() for path in a] == [path.read_bytes() for path in b]
    assert a[0].read_bytes() != c[0].read_bytes()
    with pytest.raises(MeshError, match="empty folder"):
        write_mimic("bosphorus", tmp_path / "a", actor, MimicPlan(subjects=1))
    with pytest.raises(MeshError, match="kind"):
        write_mimic("facewarehouse", tmp_path / "d", actor, MimicPlan(subjects=1))


# --- what validation must find


def test_validation_finds_unreadable_missing_and_duplicate_files(mimic, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(mimic("bosphorus"), root)
    folder = root / "BosphorusDB" / "bs000"
    broken = folder / "bs000_E_FEAR_0.bnt"
    broken.write_bytes(broken.read_bytes()[:-9])
    shutil.copy(folder / "bs000_E_HAPPY_0.bnt", root / "BosphorusDB" / "bs001" / "bs001_E_ANGER_0.bnt")
    dataset = open_dataset("bosphorus", root)
    (folder / "bs000_E_SADNESS_0.bnt").unlink()
    found = {
        (p.trouble, p.place.rpartition("/")[2]) for p in validate_dataset(dataset).problems if p.severity == "error"
    }
    assert found == {
        ("unreadable", "bs000_E_FEAR_0.bnt"),
        ("duplicate", "bs001_E_ANGER_0.bnt"),
        ("missing", "bs000_E_SADNESS_0.bnt"),
    }


def test_landmarks_of_another_scan_are_noticed(mimic, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(mimic("bu3dfe"), root)
    dataset = open_dataset("bu3dfe", root)
    path = dataset.path_of(dataset.named("F0001_HA04").landmarks[0])
    marks = read_bnd(path)
    moved = dataclasses.replace(marks.landmarks, points=marks.landmarks.points + np.array([0.0, 0.0, 60.0]))
    write_bnd(dataclasses.replace(marks, landmarks=moved), path)
    notes = [p for p in validate_dataset(dataset).problems if p.trouble == "contradiction"]
    assert [p.place.rpartition("/")[2] for p in notes] == ["F0001_HA04WH_F3D.wrl"]


@pytest.mark.parametrize("kind", ADAPTERS)
def test_layouts_are_told_apart(kind, mimic):
    assert detect_kind(mimic(kind)) == kind


def test_kinds_have_several_spellings(tmp_path):
    assert [canonical_kind(name) for name in ("BU-3DFE", "bu_4dfe", "fourdme")] == ["bu3dfe", "bu4dfe", "4dme"]
    with pytest.raises(DatasetError, match=r"labels\.csv"):
        detect_kind(tmp_path)


def test_checksums_tell_copies_apart(mimic, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(mimic("bosphorus"), root)
    digests = [
        validate_dataset(open_dataset("bosphorus", folder), depth="none", contents=True).files_digest
        for folder in (mimic("bosphorus"), root)
    ]
    assert digests[0] == digests[1]
    picture = next(root.rglob("*.png"))
    picture.write_bytes(picture.read_bytes()[:-1] + b"x")
    changed = open_dataset("bosphorus", root)
    assert validate_dataset(changed, depth="none", contents=True).files_digest != digests[0]
    assert validate_dataset(changed, depth="none").index_digest == validate_dataset(changed, depth="none").index_digest


# --- tables from strangers


def test_a_changed_table_is_refused(mimic, tmp_path):
    path = tmp_path / "t.parquet"
    open_dataset("bosphorus", mimic("bosphorus")).to_parquet(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(MeshFormatError, match="hash"):
        Dataset.from_parquet(path, tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + 40 * b"\xff" + b"PAR1", 100 * b"x"])
def test_no_table_at_all(content, tmp_path):
    (tmp_path / "t.parquet").write_bytes(content)
    with pytest.raises(MeshFormatError, match="Parquet"):
        Dataset.from_parquet(tmp_path / "t.parquet", tmp_path)


@pytest.mark.parametrize("path", ["../x.obj", "/etc/passwd", "a/../../x", "a\\..\\x", ""])
def test_records_cannot_leave_the_folder(path, tmp_path):
    with pytest.raises(MeshError, match="leaves"):
        Dataset("synthetic", tmp_path, ()).path_of(path)


# --- the scanner


def test_a_scan_without_errors_lies_on_the_head(head):
    style = ScanStyle(step_mm=3.0, noise_mm=0.0, spikes=0.0, holes=0, hairline_mm=1000.0, picture_px=32)
    scan = simulate_scan(head, style, np.random.default_rng(0)).to_mesh()
    distance = head.to_trimesh().nearest.signed_distance(scan.vertices)
    assert np.abs(distance).max() < 0.05  # picture positions are rounded to 1/256 sample
    normal = np.cross(*(scan.vertices[scan.faces[:, k]] - scan.vertices[scan.faces[:, 0]] for k in (1, 2)))
    assert (normal[:, 2] > 0).all()


def test_scans_of_one_head_differ_in_topology_and_are_spoilt(head):
    rng = np.random.default_rng(0)
    style = ScanStyle(step_mm=3.0, spikes=0.05, picture_px=32)
    first, second = (simulate_scan(head, style, rng).to_mesh() for _ in range(2))
    assert first.n_vertices != second.n_vertices
    distance = np.abs(head.to_trimesh().nearest.signed_distance(first.vertices))
    assert distance.max() > 5 and np.median(distance) < 0.5


def test_two_cameras_make_a_seam_and_texture_coordinates_meet_the_picture(head):
    right, low = head.vertices[:, 0] < -30, head.vertices[:, 1] < -40
    painted = dataclasses.replace(head, colors=np.stack([0.9 * right + 0.05, 0.9 * low + 0.05, 0.5 + 0 * low], axis=1))
    style = ScanStyle(step_mm=4.0, yaws_deg=(-30.0, 30.0), picture_px=64)
    scan = simulate_scan(painted, style, np.random.default_rng(0)).to_mesh()
    assert len(scan.uv) > scan.n_vertices
    corner = scan.uv[scan.uv_faces]
    assert not ((corner[..., 0] < 0.5).any(axis=1) & (corner[..., 0] > 0.5).any(axis=1)).any()
    rows = (63.5 - 64 * scan.uv[:, 1]).round().astype(int).clip(0, 63)
    columns = (128 * scan.uv[:, 0] - 0.5).round().astype(int).clip(0, 127)
    color = scan.texture[rows, columns].astype(float)
    place = scan.vertices[np.unique(np.stack([scan.uv_faces.ravel(), scan.faces.ravel()]), axis=1)[1]]
    assert ((color[:, 0] > color[:, 2]) == (place[:, 0] < -30)).mean() > 0.9
    assert ((color[:, 1] > color[:, 2]) == (place[:, 1] < -40)).mean() > 0.9


def test_nothing_in_the_window_is_an_error(head):
    with pytest.raises(MeshError, match="window"):
        simulate_scan(head.with_vertices(head.vertices + 1e4), ScanStyle(step_mm=4.0), np.random.default_rng(0))
