"""One person's expressions: sampled action units on their own rig, with the accidents of capture."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from aublend.curves import half_weights
from aublend.emotions import sample_emotion_weights
from aublend.head_model import head_model
from aublend.units import N_UNITS
from facet_vlm.config import DataConfig
from facet_vlm.faces.views import standard_vertices
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh

MAX_STRAY_UNITS = 3
PLACE_JITTER_MM = 2.0
SIZE_JITTER = 0.03
UNSCANNED_PARTS = ("eyes", "iris", "pupil", "teeth", "tongue", "lashes", "mouth")
CUT_CENTRE_MM = np.array([0.0, -30.0, 15.0])
CUT_RADIUS_MM = (72.0, 105.0)


@dataclass(frozen=True)
class Expression:
    """One synthesised sample."""

    mesh: Mesh
    """In the face frame and at standard size, but for the jitter."""
    label: int
    """Row of EXPRESSIONS."""
    intensity: float
    """0 for neutral."""
    halves: Float[np.ndarray, "2 A"]
    """Action unit weights of the left and the right half."""


def person_expressions(seed: int, config: DataConfig, training: bool) -> Iterator[Expression]:
    """All samples of one identity; the same for the same seed and configuration.

    Args:
        seed: the identity.
        training: draw intensities from the training ranges and cut some samples like scans; otherwise take the test
            intensities, and the whole head.
    """
    rig = head_model().rig(seed)
    rng = np.random.default_rng([config.seed, seed, int(training)])
    draws = len(config.train_intensities) if training else len(config.test_intensities)
    for label, name in enumerate(EXPRESSIONS):
        for draw in range(draws):
            intensity = 0.0
            halves = stray_weights(config.residual, rng)
            if name != "neutral":
                drawn = rng.uniform(*config.train_intensities[draw]) if training else config.test_intensities[draw]
                intensity = float(drawn)
                halves = np.clip(halves + half_weights(sample_emotion_weights(name, intensity, rng)), 0, 1)
            vertices = standard_vertices(rig.pose(halves), straighten=False)
            mesh = captured(rig.neutral.with_vertices(vertices), config, rng, cut=training)
            yield Expression(mesh, label, intensity, halves.astype(np.float32))


def stray_weights(largest: float, rng: np.random.Generator) -> Float[np.ndarray, "2 A"]:
    """A few units at random, weakly, as no face is ever quite at rest."""
    halves = np.zeros((2, N_UNITS))
    rows = rng.choice(N_UNITS, rng.integers(0, MAX_STRAY_UNITS + 1), replace=False)
    halves[:, rows] = rng.uniform(0, largest, len(rows))
    return halves


def captured(mesh: Mesh, config: DataConfig, rng: np.random.Generator, cut: bool) -> Mesh:
    """The head turned, misplaced and noisy as a registered scan may be, and perhaps cut like one."""
    vertices = mesh.vertices
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(0, config.noise_mm), len(vertices))
        vertices = vertices + noise[:, None] * vertex_normals(vertices, mesh.faces)
    limits = np.array([config.yaw_deg, config.pitch_deg, config.roll_deg])
    turn = Rotation.from_euler("yxz", rng.uniform(-limits, limits), degrees=True)
    scale = 1 + SIZE_JITTER * rng.normal()
    moved = mesh.with_vertices(scale * turn.apply(vertices) + rng.normal(0, PLACE_JITTER_MM, 3))
    if cut and rng.random() < config.scan_share:
        return scanned(moved, vertices, rng)
    return moved


def scanned(mesh: Mesh, upright: Float[np.ndarray, "V 3"], rng: np.random.Generator) -> Mesh:
    """The mesh without the parts that scanners miss, or without what lies beyond the face, or both.

    Args:
        upright: the vertices before the head was turned; they say where the face is.
    """
    kind = rng.integers(3)
    kept = np.ones(mesh.n_faces, bool)
    if kind != 0 and mesh.part_of_face is not None:
        kept &= ~np.isin(mesh.part_of_face, [mesh.part_names.index(name) for name in UNSCANNED_PARTS])
    if kind != 1:
        near = np.linalg.norm(upright - CUT_CENTRE_MM, axis=1) < rng.uniform(*CUT_RADIUS_MM)
        kept &= near[mesh.faces].all(axis=1)
    return Mesh(mesh.vertices, mesh.faces[kept])
