"""Scenes: a head as scans and other programs deliver it: parts missing, cropped, holed, coarse, noisy, covered."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

from aublend.head_model import HeadModel
from aublend.landmark_training.companions import Piece, glasses, hair_cap, hat, joined, long_hair, torso
from aublend.landmark_training.labels import LandmarkPlaces, landmark_places
from aublend.landmark_training.shapes import ShapeSource, random_bend
from mesh4d.geometry.normals import face_normals, vertex_normals
from mesh4d.landmarks.pictures import Surface, smooth_normals


@dataclass(frozen=True)
class Scene:
    """A surface with its landmarks, in the face frame (mm)."""

    surface: Surface
    points: Float[np.ndarray, "68 3"]
    open_back: bool
    """Parts of the head are missing, so that its inside can be seen from behind."""


@dataclass(frozen=True)
class SceneMaker:
    """Draws scenes from a source of shapes."""

    model: HeadModel
    source: ShapeSource

    @cached_property
    def places(self) -> LandmarkPlaces:
        """The labels."""
        return landmark_places(self.model)

    @cached_property
    def part(self) -> np.ndarray:
        """Part name of each face, "socket" for the insides of the eye sockets."""
        mesh = self.model.topology
        if mesh.part_of_face is None:
            raise ValueError("the embedded head names its parts")
        part = np.array(mesh.part_names, dtype="<U8")[mesh.part_of_face]
        inside = np.zeros(mesh.n_vertices, bool)
        inside[self.model.parts.socket] = True
        part[inside[mesh.faces].any(axis=1) & (part == "skin")] = "socket"
        return part

    @cached_property
    def average_neighbour(self) -> sp.csr_matrix:
        """Row-stochastic matrix that replaces each vertex by the mean of its neighbours."""
        faces, count = self.model.topology.faces, self.model.topology.n_vertices
        edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        ones = np.ones(2 * len(edges))
        graph = sp.coo_matrix((ones, np.concatenate([edges, edges[:, ::-1]]).T), shape=(count, count)).tocsr()
        graph.data[:] = 1.0
        return sp.csr_matrix(sp.diags(1.0 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)) @ graph)

    @cached_property
    def refinement(self) -> tuple[sp.csr_matrix, Int[np.ndarray, "F 3"]]:
        """Midpoint subdivision: matrix to the finer vertices, and four triangles for each face, in order."""
        faces, count = self.model.topology.faces, self.model.topology.n_vertices
        edges = np.sort(np.stack([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]], axis=1), axis=2)
        unique, which = np.unique(edges.reshape(-1, 2), axis=0, return_inverse=True)
        middle = count + which.reshape(-1, 3)
        rows = np.concatenate([np.arange(count), np.repeat(np.arange(len(unique)) + count, 2)])
        columns = np.concatenate([np.arange(count), unique.ravel()])
        values = np.concatenate([np.ones(count), np.full(2 * len(unique), 0.5)])
        matrix = sp.csr_matrix((values, (rows, columns)), shape=(count + len(unique), count))
        a, b, c = faces.T
        ab, bc, ca = middle.T
        finer = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], axis=1).reshape(-1, 3)
        return matrix, finer

    def scene(self, rng: np.random.Generator, companions: float = 0.3) -> Scene:
        """One scene.

        Args:
            companions: how probable a torso is; hair, hats and glasses follow.
        """
        vertices = self.source.shape(rng)
        if rng.random() < 0.85:
            vertices = random_bend(rng, self.places.on(vertices), rng.uniform(0.3, 1.4))(vertices)
        for _ in range(rng.integers(1, 4) if rng.random() < 0.3 else 0):
            vertices = 0.5 * vertices + 0.5 * (self.average_neighbour @ vertices)
        points = self.places.on(vertices)
        kept = self._kept_parts(rng)
        head, open_back = self._head(vertices, kept, rng)
        pieces = [head, *self._companions(vertices, points, companions, rng)]
        whole = joined(pieces)
        if rng.random() < 0.25:
            whole = with_holes(whole, points, rng)
        if rng.random() < 0.15:
            whole = clustered(whole, rng.uniform(2.5, 7.0))
        if rng.random() < 0.35:
            noise = rng.normal(0, rng.uniform(0.05, 0.7), (len(whole.vertices), 1))
            whole = Piece(whole.vertices + noise * vertex_normals(whole.vertices, whole.faces), whole.faces)
        return Scene(_surface(whole, flat=bool(rng.random() < 0.12)), points, open_back)

    def _kept_parts(self, rng: np.random.Generator) -> np.ndarray:
        """Faces that are left when parts are missing at random."""
        chance = {"lashes": 0.2, "teeth": 0.6, "tongue": 0.6, "mouth": 0.75, "socket": 0.7}
        kept = np.ones(len(self.part), bool)
        for name, probability in chance.items():
            if rng.random() > probability:
                kept &= self.part != name
        if rng.random() > 0.7:
            kept &= ~np.isin(self.part, ["eyes", "iris", "pupil"])
        return kept

    def _head(self, vertices: np.ndarray, kept: np.ndarray, rng: np.random.Generator) -> tuple[Piece, bool]:
        """The head's surface, perhaps finer, cropped or cut; and whether it is open behind."""
        rest, faces = self.source.mean, self.model.topology.faces
        if rng.random() < 0.7:
            tilt = rng.normal(0, 0.2)
            kept = kept & (rest[faces][:, :, 1] + tilt * rest[faces][:, :, 2] > -rng.uniform(112, 170)).all(axis=1)
        open_back = rng.random() < 0.3
        if open_back:
            kept = kept & self._front(vertices, rng)
        if rng.random() < 0.25:
            matrix, finer = self.refinement
            return Piece(matrix @ vertices, finer[np.repeat(kept, 4)]), open_back
        return Piece(vertices, faces[kept]), open_back

    def _front(self, vertices: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """What a scanner before the face sees: an oval, a slab, or the surfaces turned to it."""
        rest, faces = self.source.mean, self.model.topology.faces
        middle = rest[faces].mean(axis=1)
        kind = rng.integers(3)
        if kind == 0:
            x, y = middle[:, 0] / rng.uniform(62, 85), (middle[:, 1] + 28) / rng.uniform(82, 120)
            return (np.hypot(x, y) < 1) & (middle[:, 2] > -90)
        if kind == 1:
            return middle[:, 2] > -rng.uniform(15, 110)
        yaw = np.radians(rng.normal(0, 20))
        towards = np.array([np.sin(yaw), 0.05, np.cos(yaw)])
        facing = face_normals(vertices, faces) @ towards
        return (facing > rng.uniform(0.02, 0.3)) & (middle[:, 2] > -100)

    def _companions(
        self, vertices: np.ndarray, points: np.ndarray, chance: float, rng: np.random.Generator
    ) -> list[Piece]:
        pieces = []
        if rng.random() < chance:
            pieces.append(torso(self.model, rng))
        if rng.random() < 1.2 * chance:
            skin = Piece(vertices, self.model.topology.faces[self.part == "skin"])
            pieces.append(hair_cap(skin, self.source.mean, rng))
            if rng.random() < 0.4:
                pieces.append(long_hair(rng))
        elif rng.random() < 0.3 * chance:
            pieces.append(hat(rng))
        if rng.random() < 0.25 * chance:
            pieces.append(glasses(points, rng))
        return pieces


def with_holes(piece: Piece, points: Float[np.ndarray, "68 3"], rng: np.random.Generator) -> Piece:
    """Round holes near the face."""
    middle = piece.vertices[piece.faces].mean(axis=1)
    gone = np.zeros(len(middle), bool)
    for _ in range(rng.integers(1, 6)):
        centre = points[rng.integers(len(points))] + rng.normal(0, 12, 3)
        gone |= np.linalg.norm(middle - centre, axis=1) < rng.uniform(3, 14)
    return Piece(piece.vertices, piece.faces[~gone])


def clustered(piece: Piece, cell: float) -> Piece:
    """Coarser by vertex clustering: vertices in one cell of a grid become their mean."""
    keys = np.floor(piece.vertices / cell).astype(np.int64)
    _, number, counts = np.unique(keys @ [1, 1 << 20, 1 << 40], return_inverse=True, return_counts=True)
    number = number.reshape(-1)
    sums = [np.bincount(number, weights=piece.vertices[:, axis]) for axis in range(3)]
    faces = number[piece.faces]
    whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    return Piece(np.stack(sums, axis=1) / counts[:, None], faces[whole])


def _surface(piece: Piece, *, flat: bool) -> Surface:
    faces = np.ascontiguousarray(piece.faces, np.int32)
    if flat:  # every triangle on its own: a mesh without smooth shading
        vertices = piece.vertices[faces].reshape(-1, 3)
        return Surface(
            vertices,
            np.arange(len(vertices), dtype=np.int32).reshape(-1, 3),
            np.repeat(face_normals(piece.vertices, faces), 3, axis=0),
        )
    return Surface(piece.vertices, faces, smooth_normals(piece.vertices, faces))
