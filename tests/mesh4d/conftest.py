"""Small synthetic copies of the data sets, performed by a head that a formula makes."""

import numpy as np
import pytest

from mesh4d.datasets.mimic import write_mimic
from mesh4d.datasets.performance import NOSE_TIP, MimicPlan, Performance, Request
from mesh4d.datasets.scan import ScanStyle
from mesh4d.io.landmark_files import bu_landmark_names
from mesh4d.mesh import Landmarks, Mesh

EXPRESSION_BUMPS = {"anger": 20, "disgust": -20, "fear": 35, "happiness": -50, "sadness": -65, "surprise": 50}
"""y of the bump that stands for each expression."""


def formula_head(person: int, bump_y: float, height: float) -> Mesh:
    """A half ellipsoid with a nose, as wide as its person is numbered, with one bump."""
    x, y = np.meshgrid(np.linspace(-80, 80, 41), np.linspace(-130, 100, 47))
    inside = np.clip(1 - (x / (85 + person % 7)) ** 2 - ((y + 15) / 130) ** 2, 0, None)
    z = 70 * np.sqrt(inside) - 40 + 18 * np.exp(-(x**2 + (y + 30) ** 2) / 200)
    z += height * np.exp(-(x**2 + (y - bump_y) ** 2) / 150)
    ids = np.arange(x.size).reshape(x.shape)
    a, b, c, d = ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    turn = np.linspace(0, 2 * np.pi, 84, endpoint=False)
    marks = np.stack([40 * np.cos(turn), -30 + 45 * np.sin(turn)], 1)
    nearest = np.argmin(np.linalg.norm(vertices[None, :, :2] - marks[:, None], axis=2), axis=1)
    return Mesh(vertices, faces, landmarks=Landmarks((*bu_landmark_names(), NOSE_TIP), vertices[nearest]))


def formula_actor(request: Request) -> Performance:
    bump = EXPRESSION_BUMPS.get(request.expression, 0)
    frames = tuple(formula_head(request.person, bump, 10 * level) for level in request.envelope)
    units = request.units or ({"AU12": 1.0, "AU6": 0.5} if request.expression == "happiness" else {"AU4": 1.0})
    return Performance(frames, {u: tuple(v * level for level in request.envelope) for u, v in units.items()})


MIMIC_PLAN = MimicPlan(subjects=3, frames=4, levels=(3, 4), scan=ScanStyle(step_mm=7.0, picture_px=32, holes=1))


@pytest.fixture(scope="session")
def actor():
    return formula_actor


@pytest.fixture(scope="session")
def mimic(tmp_path_factory):
    """Folder of the mimic of a kind; written once per session."""
    made = {}

    def folder(kind):
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            write_mimic(kind, made[kind], formula_actor, MIMIC_PLAN)
        return made[kind]

    return folder


@pytest.fixture(scope="session")
def head():
    return formula_head(0, 0, 0)
