"""Which triangles can be seen from outside a mesh, and which of its pieces are balls."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from mesh4d.geometry.normals import face_vectors
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import rasterize

DIRECTIONS = 26
PICTURE_SIZES = (320, 1024)
"""Least and largest side of the pictures; between, as many pixels as it takes to see each triangle."""
WELD = 1e-5
"""Vertices nearer than this share of the mesh's size are one point of the surface (texture seams split them)."""


def visible_faces(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Bool[np.ndarray, " F"]:
    """Faces with a corner on a triangle whose front some distant viewer sees: the outer layer of the surface."""
    corners = vertices[faces].reshape(-1, 3)  # stray vertices that no face uses do not count
    low, high = corners.min(axis=0), corners.max(axis=0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    normals = face_vectors(vertices, faces)
    size = int(np.clip(2 * len(faces) ** 0.5, *PICTURE_SIZES))
    seen = np.zeros(len(faces), bool)
    for direction in spread_directions(DIRECTIONS):
        ids = rasterize(vertices, faces, _camera(direction, centre, radius), size).triangle_ids
        ids = np.unique(ids[ids >= 0])
        seen[ids[normals[ids] @ direction > 0]] = True  # not what shows its back through a hole
    corner_seen = np.zeros(len(vertices), bool)
    corner_seen[faces[seen]] = True  # a sliver narrower than a pixel is seen with its neighbours
    return np.asarray(corner_seen[faces].any(axis=1))


def outward_faces(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, "F 3"]:
    """The faces wound counter-clockwise from outside: reversed when, on the whole, they look at their middle."""
    vectors = face_vectors(vertices, faces)
    area = np.linalg.norm(vectors, axis=1)
    places = vertices[faces].mean(axis=1)
    middle = area @ places / max(float(area.sum()), 1e-300)
    outward = float(np.einsum("fc,fc->", vectors, places - middle)) >= 0
    return faces if outward else np.ascontiguousarray(faces[:, ::-1])


def spread_directions(count: int) -> Float[np.ndarray, "N 3"]:
    """Unit vectors spread evenly over the sphere (a Fibonacci spiral)."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    turn = np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - z * z)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)


def _camera(direction: np.ndarray, centre: np.ndarray, radius: float) -> Camera:
    """An orthographic camera that sees the whole sphere from `direction`."""
    up = np.eye(3)[np.abs(direction).argmin()]
    right = np.cross(up, direction)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(direction, right), direction])
    eye = centre + 3 * radius * direction
    return Camera(rotation, -rotation @ eye, 1.0 / (1.01 * radius), orthographic=True, near=0.1 * radius)


def welded_ids(vertices: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, " V"]:
    """One id per distinct place: vertices that lie on each other share it."""
    if len(vertices) == 0:
        return np.zeros(0, np.int64)
    low = vertices.min(axis=0)
    size = float(np.ptp(vertices, axis=0).max()) or 1.0
    cells = np.round((vertices - low) / (WELD * size)).astype(np.int64)
    side = int(1 / WELD) + 2
    keys = (cells[:, 0] * side + cells[:, 1]) * side + cells[:, 2]  # below 2^53: one sort instead of rows
    return np.unique(keys, return_inverse=True)[1].reshape(-1)


def vertex_components(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Int[np.ndarray, " V"]:
    """The connected piece of each vertex, across texture seams; a vertex that no face uses is a piece of its own."""
    place = welded_ids(vertices)
    corners = place[faces]
    rows, columns = np.concatenate([corners[:, 0], corners[:, 1]]), np.concatenate([corners[:, 1], corners[:, 2]])
    count = int(place.max()) + 1 if len(place) else 0
    graph = sp.csr_matrix((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    return connected_components(graph, directed=False)[1][place].astype(np.int64)


def boundary_vertices(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Bool[np.ndarray, " V"]:
    """Vertices on an edge that only one face uses, after welding: rims of holes and cuts."""
    place = welded_ids(vertices)
    corners = place[faces]
    count = int(place.max()) + 1 if len(place) else 0
    ends = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]])
    distinct, uses = np.unique(ends.min(axis=1) * count + ends.max(axis=1), return_counts=True)
    lonely = distinct[uses == 1]
    rim = np.zeros(count, bool)
    rim[lonely // max(count, 1)] = True
    rim[lonely % max(count, 1)] = True
    return rim[place]


def fit_sphere(points: Float[np.ndarray, "P 3"]) -> tuple[Float[np.ndarray, "3"], float, float]:
    """Centre, radius and rms misfit (as a share of the radius) of the least-squares sphere.

    The algebraic fit: |x|^2 = 2 c.x + (r^2 - |c|^2) is linear in c and the bracket.
    """
    middle = points.mean(axis=0)
    local = points - middle
    system = np.concatenate([2 * local, np.ones((len(points), 1))], axis=1)
    solution = np.linalg.lstsq(system, (local * local).sum(axis=1), rcond=None)[0]
    radius = float(np.sqrt(max(solution[3] + solution[:3] @ solution[:3], 0.0)))
    misfit = np.linalg.norm(local - solution[:3], axis=1) - radius
    return middle + solution[:3], radius, float(np.sqrt(np.mean(misfit**2))) / max(radius, 1e-12)


def outer_faces(mesh: Mesh) -> Int[np.ndarray, " T"]:
    """Faces that can be seen from outside and belong to no small ball (an eyeball): skin, hair, clothes."""
    visible = visible_faces(mesh.vertices, mesh.faces)
    component = vertex_components(mesh.vertices, mesh.faces)
    size = float(np.linalg.norm(np.ptp(mesh.vertices[mesh.faces].reshape(-1, 3), axis=0)))
    face_component = component[mesh.faces[:, 0]]
    names, counts = np.unique(face_component, return_counts=True)
    for name in names[(counts >= 12) & (counts < 0.25 * len(mesh.faces))]:
        points = mesh.vertices[component == name]
        _, radius, misfit = fit_sphere(points)
        if misfit < 0.12 and 0 < radius < 0.12 * size and np.ptp(points, axis=0).min() > 0.5 * radius:
            visible[face_component == name] = False
    return np.flatnonzero(visible)
