"""Sequences of a known head: every frame found, one identity, little jitter, fixed and changing topology."""

import numpy as np
import pytest
import trimesh

from aublend.head_model import head_model
from aublend.registration import prior_template
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.registration import register_sequence
from mesh4d.sequence import MeshSequence

LEVELS = np.sin(np.pi * np.linspace(0, 1, 7)) ** 2


def performance() -> np.ndarray:
    """A smile with a dropping jaw on a head that drifts, (T, V, 3) on the embedded topology."""
    rig = head_model().rig(470)
    heads = [rig.drive({"AU12": 0.9 * level, "AU26": 0.6 * level}).vertices for level in LEVELS]
    return np.stack([head + frame * np.array([1.0, 0.5, 0.0]) for frame, head in enumerate(heads)])


def test_a_sequence_of_one_topology():
    truth = performance()
    topology = head_model().topology
    part = np.array(topology.part_names)[topology.part_of_face]
    kept = topology.faces[np.isin(part, ("skin", "lips"))]
    fine = [trimesh.remesh.subdivide(frame, kept) for frame in truth]
    frames = np.stack([np.asarray(vertices) for vertices, _ in fine])
    result = register_sequence(prior_template(), MeshSequence(Mesh(frames[0], np.asarray(fine[0][1])), frames, 30.0))
    assert result.sequence.fps == 30.0 and result.sequence.frames.shape == truth.shape
    face = prior_template().face
    error = np.linalg.norm(result.sequence.frames - truth, axis=2)[:, face]
    assert error.mean() < 1.2 and error.mean(axis=1).max() < 1.5
    assert np.median(result.residual_mm) < 0.3
    smile = result.expression[:, result.expression_names.index("AU12 L")]
    assert smile[3] > 0.4 and max(smile[0], smile[-1]) < 0.15
    drift = np.stack([pose.translation for pose in result.poses])
    np.testing.assert_allclose(np.diff(drift[:, 0]), 1.0, atol=0.5)


def test_raw_scans_of_changing_topology_do_not_jitter():
    truth = performance()[[0, 1, 2, 3]]
    rng = np.random.default_rng(0)
    topology = head_model().topology
    scans = [simulate_scan(topology.with_vertices(frame), ScanStyle(), rng).to_mesh() for frame in truth]
    assert len({scan.n_vertices for scan in scans}) > 1
    result = register_sequence(prior_template(), scans, fps=25.0)
    face = prior_template().face
    error = result.sequence.frames - truth
    assert np.linalg.norm(error, axis=2)[:, face].mean() < 1.8
    assert result.jitter_mm < 0.5
    second = error[2:] - 2 * error[1:-1] + error[:-2]
    assert np.median(np.abs(second[:, face])) < 0.3


def test_an_empty_sequence_is_refused():
    with pytest.raises(MeshError, match="at least one frame"):
        register_sequence(prior_template(), [])
