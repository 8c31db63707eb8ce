"""Region masks: where they are on the embedded head, and the same places on a stranger."""

import numpy as np
import trimesh

from aublend.face_regions import REGION_NAMES, embedded_regions, face_regions
from aublend.head_model import head_model
from aublend.units import ACTION_UNITS, AU_INDEX
from mesh4d.mesh import Mesh


def test_regions_are_smooth_masks_where_their_names_say():
    masks, vertices = embedded_regions(), head_model().topology.vertices
    assert tuple(masks) == REGION_NAMES
    skin = head_model().parts.skin
    for name, mask in masks.items():
        assert mask.min() >= 0 and mask.max() <= 1 and mask.max() > 0.99, name
    middle = {
        name: np.average(vertices[skin], axis=0, weights=masks[name][skin]) for name in REGION_NAMES if name != "eye"
    }
    assert middle["brow"][1] > middle["lid"][1] > middle["nose"][1] > middle["lip"][1] > middle["jaw"][1]
    assert all(abs(place[0]) < 4 for place in middle.values())
    np.testing.assert_allclose(masks["upper"] + masks["lower"], 1.0)
    faces = head_model().topology.faces
    edges = faces[np.isin(faces, skin).all(axis=1)][:, :2]
    length = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)
    for name in ("brow", "nose", "cheek", "jaw", "still"):
        step = np.abs(masks[name][edges[:, 0]] - masks[name][edges[:, 1]])
        assert (step < 0.25 * length + 0.05).all(), name


def test_units_move_their_own_region_most():
    masks = embedded_regions()
    deltas = head_model().deltas(head_model().parameters(1))
    for unit in (unit for unit in ACTION_UNITS if unit.name in ("AU1", "AU4", "AU9", "AU12", "AU45")):
        motion = np.linalg.norm(deltas[AU_INDEX[unit.name]], axis=1)
        inside = np.average(motion, weights=masks[unit.region])
        assert inside > 2 * motion.mean(), unit.name


def test_a_stranger_has_the_same_regions():
    head = head_model().identity(470)
    part = np.array(head.part_names)[head.part_of_face]
    vertices, faces = trimesh.remesh.subdivide(head.vertices, head.faces[np.isin(part, ("skin", "lips", "eyes"))])
    used, faces = np.unique(np.asarray(faces), return_inverse=True)
    regions = face_regions(Mesh(0.1 * np.asarray(vertices)[used], faces.reshape(-1, 3)))
    own = used < head.n_vertices  # subdivision keeps the first vertices
    truth = embedded_regions()
    skin = np.isin(used[own], head_model().parts.skin) & ~np.isin(used[own], head_model().parts.socket)
    for name in ("brow", "lid", "nose", "cheek", "lip", "jaw", "upper"):
        apart = np.abs(regions[name][own] - truth[name][used[own]])[skin]
        assert apart.mean() < 0.02, name
    eyes = np.concatenate([head_model().parts.left_eye, head_model().parts.right_eye])
    on_eye = np.isin(used[own], eyes)
    assert regions["eye"][own][on_eye].mean() > 0.95 and regions["eye"][own][~on_eye].mean() < 0.01
