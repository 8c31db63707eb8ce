"""What the network sees: framing, alignment, and the mirror."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aublend.head_model import head_model
from facet_vlm.faces.inputs import BANDS, empty_space, equalized, to_bytes
from facet_vlm.faces.views import (
    EYE_DISTANCE_MM,
    aligned_face_images,
    face_images,
    standard_vertices,
    view_angles,
)
from facet_vlm.training.batches import mirrored_images, shifted
from mesh4d.mesh import Mesh


@pytest.fixture(scope="module")
def smiling() -> Mesh:
    return head_model().rig(900).drive({"AU12L": 1.0, "AU26": 0.5})


def test_bytes_span_minus_one_to_one() -> None:
    values = np.array([[-2.0, -1.0, 0.0, 1.0, 3.0]])
    assert to_bytes(values).tolist() == [[0, 0, 128, 255, 255]]


def test_pose_place_and_unit_do_not_matter(smiling: Mesh) -> None:
    turn = Rotation.from_euler("xyz", [20, -70, 130], degrees=True)
    moved = smiling.with_vertices(0.001 * turn.apply(smiling.vertices) + [3.0, -1.0, 7.0])
    difference = np.abs(face_images(smiling, size_px=48).astype(int) - face_images(moved, size_px=48).astype(int))
    assert (difference > 2).mean() < 1e-3


def test_eyes_are_put_at_standard_distance(smiling: Mesh) -> None:
    parts = head_model().parts
    vertices = standard_vertices(7.0 * smiling.vertices + 4.0, straighten=False)
    left, right = (vertices[eye].max(axis=0) + vertices[eye].min(axis=0) for eye in (parts.left_eye, parts.right_eye))
    np.testing.assert_allclose(left + right, 0, atol=1e-9)
    assert np.linalg.norm(left - right) / 2 == pytest.approx(EYE_DISTANCE_MM)


def test_mirrored_pictures_are_those_of_the_mirrored_head(smiling: Mesh) -> None:
    upright = smiling.with_vertices(standard_vertices(smiling.vertices, straighten=False))
    flipped = Mesh(upright.vertices * [-1, 1, 1], upright.faces[:, ::-1].copy())
    angles = view_angles("fer7")
    opposite = [angles.tolist().index([-yaw, pitch]) for yaw, pitch in angles.tolist()]
    seen = mirrored_images(aligned_face_images(upright, size_px=48))
    expected = aligned_face_images(flipped, size_px=48)[opposite]
    assert (np.abs(seen.astype(int) - expected.astype(int)) > 3).mean() < 0.01
    assert (np.abs(seen.astype(int) - expected[::-1].astype(int)) > 3).mean() > 0.1  # the test can fail


def test_corners_are_background(smiling: Mesh) -> None:
    frontal = face_images(smiling)[2]
    np.testing.assert_array_equal(frontal[:, 0, 0], to_bytes(empty_space("geometry")).ravel())
    assert 0.5 < (frontal[2] < 255).mean() < 0.95  # the face fills most of the picture


def test_shifts_keep_shape_and_bytes() -> None:
    image, empty = (
        np.random.default_rng(0).integers(0, 256, (3, 32, 32)).astype(np.uint8),
        to_bytes(empty_space("geometry")),
    )
    moved = [shifted(image, empty, np.random.default_rng(seed)) for seed in range(4)]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in moved)
    assert sum(not np.array_equal(one, image) for one in moved) >= 3


@pytest.mark.parametrize("inputs", sorted(BANDS))
def test_every_kind_of_input_shows_the_face_on_its_own_empty_space(smiling: Mesh, inputs: str) -> None:
    upright = smiling.with_vertices(standard_vertices(smiling.vertices, straighten=False))
    frontal = aligned_face_images(upright, "frontal", 48, inputs)[0]
    np.testing.assert_array_equal(frontal[:, 0, 0], to_bytes(empty_space(inputs)).ravel())
    assert (frontal != frontal[:, :1, :1]).any(axis=0).mean() > 0.4


def test_equalized_ranks_are_flat_and_light_independent() -> None:
    rng = np.random.default_rng(0)
    picture, seen = rng.random((3, 20, 20)), np.ones((20, 20), bool)
    flat = equalized(picture, seen)
    np.testing.assert_allclose(np.sort(flat[0].ravel()), np.linspace(-1, 1, 400), atol=1e-12)
    np.testing.assert_allclose(equalized(0.2 + 0.5 * picture**2, seen), flat, atol=1e-12)


def test_hidden_triangles_are_painted_over_and_still_hide(smiling: Mesh) -> None:
    upright = smiling.with_vertices(standard_vertices(smiling.vertices, straighten=False))
    low = upright.vertices[upright.faces].mean(axis=1)[:, 1] < -25.0
    whole, half = (aligned_face_images(upright, "frontal", 48, hidden_faces=faces)[0] for faces in (None, low))
    painted = (half == to_bytes(empty_space("geometry"))).all(axis=0)
    np.testing.assert_array_equal(half[:, ~painted], whole[:, ~painted])
    assert painted[30:].mean() > 0.9 and (whole[2, 30:40] < 255).any()
