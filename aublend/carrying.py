"""Carrying displacements from the embedded topology to a registered head's own vertices."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from aublend.head_model import HeadModel
from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.geometry.rigid import similarity_align
from mesh4d.mesh import Mesh
from mesh4d.registration import Registration
from mesh4d.registration.correspondence import seams, tree_normals
from mesh4d.registration.visibility import vertex_components

ON_SKIN_MM = 2.5
"""Vertices this near to the fitted skin are skin and move with it."""
FADE_MM = (4.0, 20.0)
"""A loose piece moves in full when its nearest vertex is nearer than the first, not at all beyond the second."""
LEAST_COSINE = 0.2
TEAR_STRAIN, TEAR_SLACK_MM = 2.5, 1.0
"""Skin stretches by less than this times an edge's length, plus what registration may be off."""
WALL_MM = 8.0
"""Hidden vertices this near to the embedded mouth cavity's wall are wall and move with it."""
WALL_TURN_MM = 8.0
"""Distance that counts as much as a turn of the normal by one radian: a closed mouth's walls lie close together."""
WALL_NEIGHBOURS = 4


def carried_deltas(
    model: HeadModel,
    registration: Registration,
    template: Float[np.ndarray, "V 3"],
    mesh: Mesh,
    eyes: Int[np.ndarray, " eyes"],
    deltas: Float[np.ndarray, "A V 3"],
) -> Float[np.ndarray, "A U 3"]:
    """Displacements of the mesh's vertices, in the face frame, mm.

    Skin takes the motion of its place on the fitted skin, the mouth's inside that of the embedded cavity's walls.
    What else hangs together with the skin (eye sockets, nostrils, hair, neck) continues its motion smoothly over the
    mesh's own edges. Teeth and tongue take the motion of the embedded ones, eyeballs turn with the embedded ones,
    other loose pieces follow what they lie on.

    Args:
        template: the embedded topology in this head's shape, face frame.
        mesh: the head in the face frame.
        eyes: the mesh's own eyeballs.
    """
    places = registration.target_on_template
    side = registration.lip_side + registration.lid_side
    moved = places.interpolate(deltas, model.topology.faces)
    distance = np.abs(places.signed_distance) / registration.pose.scale
    component = vertex_components(mesh.vertices, mesh.faces)
    inner = _inner_pieces(model, template, mesh, component, eyes)
    steady = distance < ON_SKIN_MM
    facing = np.einsum(
        "uc,uc->u", tree_normals(template, model.topology.faces, places), vertex_normals(mesh.vertices, mesh.faces)
    )
    main = component == largest_piece(component, mesh.faces)
    steady &= ~main | (facing > LEAST_COSINE) | _lip_seam(mesh, side)
    steady &= ~inner
    wall = _wall_of_cavity(model, template, mesh, moved, deltas, np.flatnonzero(main & ~steady & ~inner))
    steady[wall] = True
    steady &= ~_torn(mesh, moved, side, steady)
    moved = _continued(mesh, component, side, moved, steady, ~steady & ~inner)
    _fade_loose(moved, component, distance, steady, inner)
    for name in np.unique(component[inner]):
        piece = np.flatnonzero(component == name)
        moved[:, piece] = _inner_motion(model, template, mesh.vertices[piece], deltas)
    return moved


def _wall_of_cavity(
    model: HeadModel,
    template: Float[np.ndarray, "V 3"],
    mesh: Mesh,
    moved: Float[np.ndarray, "A U 3"],
    deltas: Float[np.ndarray, "A V 3"],
    hidden: Int[np.ndarray, " H"],
) -> Int[np.ndarray, " W"]:
    """The hidden vertices on the wall of the mouth's cavity, after giving them the embedded one's motion (in place)."""
    cavity = model.parts.cavity
    turned = WALL_TURN_MM * vertex_normals(template, model.topology.faces)[cavity]
    own_turned = WALL_TURN_MM * vertex_normals(mesh.vertices, mesh.faces)
    tree = KDTree(np.concatenate([template[cavity], turned], axis=1))
    near = KDTree(template[cavity]).query(mesh.vertices[hidden])[0]
    other = KDTree(template[np.setdiff1d(model.parts.skin, cavity)]).query(mesh.vertices[hidden])[0]
    on_wall = (near < WALL_MM) & (near < other)
    wall = hidden[on_wall]
    gap, nearest = tree.query(np.concatenate([mesh.vertices, own_turned], axis=1)[wall], k=WALL_NEIGHBOURS)
    moved[:, wall] = _blended(deltas, cavity[nearest], gap)
    return wall


def _blended(
    deltas: Float[np.ndarray, "A V 3"], ids: Int[np.ndarray, "M K"], gap: Float[np.ndarray, "M K"]
) -> Float[np.ndarray, "A M 3"]:
    """The mean motion of K neighbours, weighted by the inverse of their distance."""
    weight = 1 / np.maximum(gap, 1e-3)
    weight /= weight.sum(axis=1, keepdims=True)
    motion = np.zeros((len(deltas), len(ids), 3))
    for k in range(ids.shape[1]):
        motion += weight[:, k, None] * deltas[:, ids[:, k]]
    return motion


def _lip_seam(mesh: Mesh, side: Int[np.ndarray, " U"]) -> Bool[np.ndarray, " U"]:
    """Vertices with neighbours on the other lip: where a scan has welded the lips their normals say nothing."""
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    seam = np.zeros(mesh.n_vertices, bool)
    seam[edges[side[edges].prod(axis=1) < 0]] = True
    return seam


def _torn(
    mesh: Mesh, moved: Float[np.ndarray, "A U 3"], side: Int[np.ndarray, " U"], steady: Bool[np.ndarray, " U"]
) -> Bool[np.ndarray, " U"]:
    """Vertices of edges that some unit would tear: neighbours that took their motion from both sides of a fold.

    Between the lips that is as it should be, also where a scan has welded them.
    """
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges = np.unique(np.sort(edges[steady[edges].all(axis=1) & (side[edges].prod(axis=1) >= 0)], axis=1), axis=0)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    allowed = TEAR_STRAIN * length + TEAR_SLACK_MM
    torn = np.zeros(mesh.n_vertices, bool)
    for delta in moved:
        jump = np.linalg.norm(delta[edges[:, 0]] - delta[edges[:, 1]], axis=1)
        torn[edges[jump > allowed]] = True
    return torn


def largest_piece(component: Int[np.ndarray, " U"], faces: Int[np.ndarray, "F 3"]) -> int:
    """The connected piece with the most triangles: the skin."""
    return int(np.bincount(component[faces[:, 0]]).argmax())


def _inner_pieces(
    model: HeadModel,
    template: Float[np.ndarray, "V 3"],
    mesh: Mesh,
    component: Int[np.ndarray, " U"],
    eyes: Int[np.ndarray, " eyes"],
) -> Bool[np.ndarray, " U"]:
    """Vertices of pieces that lie where the embedded head has teeth, tongue or eyeballs."""
    parts = model.parts
    kind = np.zeros(len(template), bool)
    for ids in (parts.upper_teeth, parts.lower_teeth, parts.tongue, parts.cavity):
        kind[ids] = True
    near_inner = kind[KDTree(template).query(mesh.vertices)[1]]
    count = np.bincount(component)
    share = np.bincount(component, near_inner, minlength=len(count)) / np.maximum(count, 1)
    largest = largest_piece(component, mesh.faces)
    inner = (share > 0.6)[component] & (component != largest)
    inner[eyes] = True
    return inner


def _continued(
    mesh: Mesh,
    component: Int[np.ndarray, " U"],
    side: Int[np.ndarray, " U"],
    moved: Float[np.ndarray, "A U 3"],
    known: Bool[np.ndarray, " U"],
    wanted: Bool[np.ndarray, " U"],
) -> Float[np.ndarray, "A U 3"]:
    """Extend motion harmonically over the mesh's edges to the wanted vertices of pieces that have known ones."""
    has_known = np.zeros(int(component.max()) + 1, bool)
    has_known[component[known]] = True
    unknown = np.flatnonzero(wanted & has_known[component])
    if len(unknown) == 0:
        return moved
    graph = _edge_graph(mesh, side)
    degree = np.asarray(graph.sum(axis=1)).ravel()
    stiffness = (sp.diags(degree + 1e-9 * max(degree.max(), 1e-12)) - graph).tocsr()[unknown]
    given = np.flatnonzero(known)
    right = -stiffness[:, given] @ moved[:, given].transpose(1, 0, 2).reshape(len(given), -1)
    solver = splu(stiffness[:, unknown].tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    extended = moved.copy()
    extended[:, unknown] = solver.solve(right).reshape(len(unknown), len(moved), 3).transpose(1, 0, 2)
    return extended


def _edge_graph(mesh: Mesh, side: Int[np.ndarray, " U"]) -> sp.csr_matrix:
    """Edges weighted by the inverse of their length; vertices at one place (texture seams) are tied together.

    Not so where the lips touch.
    """
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    length = np.linalg.norm(mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]], axis=1)
    ties = seams(mesh.vertices, vertex_normals(mesh.vertices, mesh.faces))
    ties = ties[side[ties].prod(axis=1) >= 0]
    rows = np.concatenate([edges, ties])
    weight = np.concatenate([1 / np.maximum(length, 1e-3), np.full(len(ties), 1e4)])
    graph = sp.coo_matrix((weight, rows.T), shape=(mesh.n_vertices,) * 2).tocsr()
    return (graph + graph.T).tocsr()


def _fade_loose(
    moved: Float[np.ndarray, "A U 3"],
    component: Int[np.ndarray, " U"],
    distance: Float[np.ndarray, " U"],
    steady: Bool[np.ndarray, " U"],
    inner: Bool[np.ndarray, " U"],
) -> None:
    """Pieces that touch no skin move as one with the skin nearest to them, less the farther they are (in place)."""
    touching = np.zeros(int(component.max()) + 1, bool)
    touching[component[steady | inner]] = True
    loose = np.flatnonzero(~touching[component])
    for name in np.unique(component[loose]):
        piece = loose[component[loose] == name]
        nearest = piece[distance[piece] <= distance[piece].min() + 1.0]
        t = np.clip((distance[piece].min() - FADE_MM[0]) / (FADE_MM[1] - FADE_MM[0]), 0, 1)
        moved[:, piece] = (1 - t * t * (3 - 2 * t)) * moved[:, nearest].mean(axis=1)[:, None]


def _inner_motion(
    model: HeadModel,
    template: Float[np.ndarray, "V 3"],
    points: Float[np.ndarray, "M 3"],
    deltas: Float[np.ndarray, "A V 3"],
) -> Float[np.ndarray, "A M 3"]:
    """The motion of the embedded eyeball, row of teeth, tongue or cavity that a piece lies on.

    Eyeballs and teeth move as solids. A bag around the mouth lies on the cavity and takes its motion point by point.
    """
    parts = model.parts
    pieces = (parts.left_eye, parts.right_eye, parts.upper_teeth, parts.lower_teeth, parts.tongue, parts.cavity)
    gaps = [_typical_gap(template[ids], points) for ids in pieces]
    best = int(np.argmin(gaps))
    ids = pieces[best]
    if ids is parts.tongue or ids is parts.cavity:
        gap, nearest = KDTree(template[ids]).query(points, k=4)
        return _blended(deltas, ids[nearest], gap)
    motion = np.zeros((len(deltas), len(points), 3))
    for row, delta in enumerate(deltas[:, ids]):
        if np.abs(delta).max() > 1e-9:
            try:
                solid = similarity_align(template[ids], template[ids] + delta, with_scale=False)
            except MeshError:
                continue  # a collapsed part has no motion to give
            motion[row] = solid.apply(points) - points
    return motion


def _typical_gap(part: Float[np.ndarray, "N 3"], points: Float[np.ndarray, "M 3"]) -> float:
    """How far a piece and a part lie apart, either way: teeth are near to a bag around them, not it to them."""
    return float(np.mean(KDTree(part).query(points)[0]) + np.mean(KDTree(points).query(part)[0]))
