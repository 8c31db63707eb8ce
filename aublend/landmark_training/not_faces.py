"""Surfaces without a face: solids, blobs, limbs, headless bodies."""

import numpy as np
import trimesh

from aublend.head_model import HeadModel
from aublend.landmark_training.companions import Piece, body, joined
from mesh4d.landmarks.pictures import Surface, smooth_normals


def faceless(model: HeadModel, rng: np.random.Generator) -> Surface:
    """One of them, about the size of a head (mm), around the origin."""
    piece = _limb(model, rng) if rng.random() < 0.4 else joined([_solid(rng) for _ in range(rng.integers(1, 5))])
    middle = 0.5 * (piece.vertices.min(axis=0) + piece.vertices.max(axis=0))
    spread = np.linalg.norm(piece.vertices - middle, axis=1).max()
    vertices = (piece.vertices - middle) * rng.uniform(80, 160) / spread
    vertices = vertices @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    waves = 2 * np.pi * rng.normal(size=(6, 3)) / rng.uniform(30, 200, (6, 1))
    bumps = np.sin(vertices @ waves.T + rng.uniform(0, 6, 6)) @ rng.normal(0, 1, (6, 3))
    vertices = vertices + rng.choice([0.0, 2.0, 6.0, 12.0]) * bumps
    faces = np.ascontiguousarray(piece.faces, np.int32)
    return Surface(vertices, faces, smooth_normals(vertices, faces))


def _solid(rng: np.random.Generator) -> Piece:
    kind = rng.integers(6)
    if kind == 0:
        made = trimesh.creation.icosphere(subdivisions=4)
    elif kind == 1:
        made = trimesh.creation.box(extents=rng.uniform(0.5, 2, 3))
    elif kind == 2:
        made = trimesh.creation.torus(1.0, rng.uniform(0.15, 0.6))
    elif kind == 3:
        made = trimesh.creation.capsule(height=rng.uniform(0.5, 3), radius=rng.uniform(0.3, 1))
    elif kind == 4:
        made = trimesh.creation.cone(radius=1.0, height=rng.uniform(0.8, 3))
    else:
        made = trimesh.creation.cylinder(radius=1.0, height=rng.uniform(0.2, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    stretch = np.exp(rng.normal(0, 0.3, 3))
    return Piece((np.asarray(made.vertices) * stretch) @ turn + rng.normal(0, 0.8, 3), np.asarray(made.faces))


def _limb(model: HeadModel, rng: np.random.Generator) -> Piece:
    """A part of the body below the head: a hand, a foot, a trunk."""
    whole = body()
    head = np.zeros(len(whole.vertices), bool)
    head[model.base_vertex_ids] = True
    below = Piece(whole.vertices, whole.faces[~head[whole.faces].any(axis=1)])
    used = np.unique(below.faces)
    centre = whole.vertices[used[rng.integers(len(used))]]
    near = np.linalg.norm(whole.vertices - centre, axis=1) < rng.choice([90, 150, 300, 2000])
    part = below.only(near)
    if len(part.faces) < 50:
        return below
    corners, flat = np.unique(part.faces, return_inverse=True)
    return Piece(part.vertices[corners], flat.reshape(-1, 3))
