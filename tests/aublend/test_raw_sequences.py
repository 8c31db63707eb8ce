"""Raw 4D scans, every frame with vertices of its own, as curves and on another head."""

import numpy as np
import pytest

from aublend import AUCurves, read_curves, read_rig, write_rig
from aublend.commands.retarget import Retarget
from aublend.raw_sequences import on_rig, shares_topology
from aublend.solve import solve
from mesh4d import Mesh, read_sequence
from mesh4d.geometry.rigid import Similarity
from mesh4d.io import write_frames

SMILE = AUCurves(("AU12", "AU4"), np.array([[0.0, 0.0], [0.4, 0.3], [0.8, 0.6], [0.3, 0.2]]), 25.0)


@pytest.fixture(scope="module")
def scans(rig):
    """The skin alone, in another order of vertices in every frame, while the head turns and moves."""
    rng = np.random.default_rng(0)
    skin = np.isin(rig.neutral.part_of_face, [rig.neutral.part_names.index(name) for name in ("skin", "lips")])
    meshes = []
    for number, halves in enumerate(SMILE.halves()):
        angle = np.radians(3.0 * number)
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        vertices = Similarity(1.0, turn, np.array([2.0 * number, 0.0, -number])).apply(rig.pose(halves))
        order = rng.permutation(len(vertices))
        meshes.append(Mesh(vertices[order], np.argsort(order)[rig.neutral.faces[skin]]))
    return meshes


def test_a_rigs_own_vertices_need_no_registration(rig, scans):
    assert shares_topology(rig, rig.drive({"AU1": 1.0}))
    assert not shares_topology(rig, scans[0])


@pytest.fixture(scope="module")
def registered(rig, scans):
    return on_rig(rig, scans, 25.0)


def assert_smile(found: AUCurves) -> None:
    wrong = np.abs(found.halves() - SMILE.halves())
    assert wrong.mean() < 0.03
    assert wrong[:, :, np.flatnonzero(SMILE.halves().any(axis=(0, 1)))].max() < 0.2


def test_the_units_are_found_behind_raw_scans(rig, registered):
    assert registered.fps == 25.0
    assert_smile(solve(rig, registered))


def test_the_head_is_held_still(rig, registered):
    still = np.linalg.norm(rig.deltas, axis=2).max(axis=0) < 0.01
    assert still.sum() > 100
    assert np.median(np.linalg.norm(registered.frames[3] - registered.frames[0], axis=1)[still]) < 0.5


@pytest.mark.slow
def test_retarget_takes_a_folder_of_raw_scans(rig, model, scans, tmp_path):
    write_frames(scans, tmp_path / "scans", suffix=".ply")
    write_rig(rig, tmp_path / "source.npz")
    write_rig(model.rig(471), tmp_path / "target.npz")
    said = Retarget(
        tmp_path / "source.npz", tmp_path / "scans", tmp_path / "target.npz", tmp_path / "out.glb", tmp_path / "c.csv"
    ).run()
    assert said["frames"] == 4
    assert_smile(read_curves(tmp_path / "c.csv"))
    target = read_rig(tmp_path / "target.npz")
    shown = read_sequence(tmp_path / "out.glb")
    assert shown.topology.n_vertices == target.neutral.n_vertices
    moved = np.linalg.norm(shown.frames[2] - target.animate(SMILE).frames[2], axis=1)
    assert np.quantile(moved, 0.95) < 2.0
