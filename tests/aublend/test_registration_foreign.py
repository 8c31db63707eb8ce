"""Heads that our own identities do not span: warped, foreign in topology, expressive; any head as template."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from aublend.head_model import head_model
from aublend.registration import carry_deltas, fit_head, prior_template
from aublend.units import AU_INDEX
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Landmarks, Mesh
from mesh4d.registration import prepared_template, register
from mesh4d.registration.closest import triangle_tree


def warped(vertices: np.ndarray, seed: int, amplitude_mm: float = 5.0) -> np.ndarray:
    """A smooth random warp that leads out of what our own identities span."""
    rng = np.random.default_rng(seed)
    centres, pull = rng.uniform([-90, -130, -120], [90, 120, 60], (60, 3)), rng.normal(size=(60, 3))
    field = np.exp(-((vertices[:, None] - centres) ** 2).sum(axis=2) / (2 * 55.0**2)) @ pull
    return (vertices + field / field.std(axis=0) * amplitude_mm / 3**0.5) * (1 + rng.uniform(-0.08, 0.08, 3))


def foreign(vertices: np.ndarray) -> Mesh:
    """Skin, lips and eyes without a mouth, in smaller triangles."""
    head = head_model().topology
    part = np.array(head.part_names)[head.part_of_face]
    kept = head.faces[np.isin(part, ("skin", "lips", "eyes", "iris", "pupil"))]
    fine, faces = (np.asarray(x) for x in trimesh.remesh.subdivide(vertices, kept))
    used, faces = np.unique(faces, return_inverse=True)
    return Mesh(fine[used], faces.reshape(-1, 3))


def test_heads_beyond_our_own_generator():
    truth = warped(head_model().identity(482).vertices, 1)
    result = fit_head(foreign(truth)).registration
    error = np.linalg.norm(result.fitted.vertices - truth, axis=1)[prior_template().face]
    assert error.mean() < 1.3 and np.percentile(error, 95) < 3.5
    assert result.quality.median_mm < 0.3
    assert max(result.expression.values()) < 0.3 and result.warnings == ()


@pytest.mark.parametrize(("units", "shown"), [({"AU12": 0.9, "AU6": 0.5}, "AU12 L"), ({"AU27": 0.7}, "AU27")])
def test_an_expression_is_told_from_a_shape(units, shown):
    neutral = warped(head_model().identity(483).vertices, 2)
    deltas = head_model().deltas(head_model().parameters(483))
    shape = neutral + sum(weight * deltas[AU_INDEX[name]] for name, weight in units.items())
    fit = fit_head(foreign(shape))
    found = fit.registration
    assert found.expression[shown] > 0.3
    assert "not neutral" in fit.warnings[0] and shown[:4] in fit.warnings[0]
    face = prior_template().face
    as_it_is = np.linalg.norm(found.fitted.vertices - shape, axis=1)[face].mean()
    person = np.linalg.norm(found.neutral.vertices - neutral, axis=1)[face].mean()
    unaware = np.linalg.norm(found.fitted.vertices - neutral, axis=1)[face].mean()
    assert as_it_is < 1.6
    assert person < unaware


def test_forms_of_one_head_agree():
    """The same surface turned, scaled, shuffled and with other triangles: carried fields are the same."""
    head = foreign(head_model().identity(484).vertices)
    rng = np.random.default_rng(3)
    order = rng.permutation(head.n_vertices)
    place = np.argsort(order)
    vertices, faces = (np.asarray(x) for x in trimesh.remesh.subdivide(head.vertices[order], place[head.faces]))
    move = Similarity(0.001, Rotation.random(random_state=7).as_matrix(), np.array([3.0, -1.0, 0.5]))
    other = Mesh(move.apply(vertices), rng.permutation(faces))
    first, second = fit_head(head), fit_head(other)
    deltas = head_model().deltas(head_model().parameters(484))[[AU_INDEX["AU12"], AU_INDEX["AU4"]]]
    one = carry_deltas(first, deltas)
    two = carry_deltas(second, deltas)[:, place] @ move.rotation / move.scale
    skin = first.registration.target_on_template.signed_distance < 1.0
    apart = np.linalg.norm(one - two, axis=2)[:, skin]
    assert np.percentile(apart, 99) < 0.8 and apart.mean() < 0.1


def test_any_head_is_a_template():
    """Two foreign heads of other topologies, one registered to the other; landmarks ride along."""
    first, second = (warped(head_model().identity(seed).vertices, seed) for seed in (485, 486))
    template = prepared_template(foreign(first))
    result = register(template, foreign(second).with_vertices(0.01 * foreign(second).vertices))
    places = triangle_tree(first, head_model().topology.faces).query(foreign(first).vertices)
    expected = 0.01 * places.interpolate(second, head_model().topology.faces)
    error = 100 * np.linalg.norm(result.fitted.vertices - expected, axis=1)[template.face]
    assert error.mean() < 1.8
    assert template.mesh.landmarks is not None and len(template.mesh.landmarks.points) == 68


def test_landmarks_are_soft():
    """A few wrong landmarks among good ones do not spoil a fit."""
    truth = warped(head_model().identity(487).vertices, 4)
    template = prior_template()
    marks = template.mesh.landmarks
    carrier = np.array([np.linalg.norm(template.vertices - point, axis=1).argmin() for point in marks.points])
    points = truth[carrier] + marks.points - template.vertices[carrier]
    points[[3, 20, 50]] += [0.0, 25.0, 10.0]
    result = register(template, foreign(truth), Landmarks(marks.names, points))
    error = np.linalg.norm(result.fitted.vertices - truth, axis=1)[template.face]
    assert error.mean() < 1.3


@pytest.mark.slow
def test_the_head_of_a_body_is_found():
    head = head_model().identity(488)
    limb = trimesh.creation.capsule(620, 75).subdivide()
    body = trimesh.creation.icosphere(4).apply_scale([170, 330, 110]).apply_translation([0, -480, -80])
    legs = [limb.copy().apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0])) for _ in "lr"]
    for leg, x in zip(legs, (-90, 90), strict=True):
        leg.apply_translation([x, -700, -80])
    rest = trimesh.util.concatenate([body, *legs])
    part = np.array(head.part_names)[head.part_of_face]
    faces = np.concatenate([head.faces[np.isin(part, ("skin", "lips"))], np.asarray(rest.faces) + head.n_vertices])
    fit = fit_head(Mesh(np.concatenate([head.vertices, np.asarray(rest.vertices)]), faces))
    error = np.linalg.norm(fit.registration.fitted.vertices - head.vertices, axis=1)[prior_template().face]
    assert error.mean() < 1.5
