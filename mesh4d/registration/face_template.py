"""FaceTemplate: a head that others are brought into correspondence with, and what registration must know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_areas
from mesh4d.mesh import Mesh
from mesh4d.registration.openings import Opening, centre_of, mouth_opening, opening_sides
from mesh4d.registration.shape_modes import (
    SMOOTH_MODES,
    SMOOTH_ONLY_MODES,
    SMOOTH_ONLY_SCALES_MM,
    SMOOTH_SCALES_MM,
    ShapeModes,
    smooth_modes,
    swelling_modes,
)
from mesh4d.registration.visibility import outer_faces, vertex_components

SKIN_PARTS = ("skin", "lips")
BEHIND_WEIGHT = 0.25
"""Say of the skin behind the face, by area, beside that of the face."""

RIM_WEIGHT = 4.0
"""Say of lips and lids beside that of plain skin: small, but what they do is what is seen."""


@dataclass(frozen=True)
class FaceTemplate:
    """A template head and its regions.

    Convention: the mesh is in the face frame: millimetres, origin between the eyes, +x the subject's left, +y up,
    +z forward.
    """

    mesh: Mesh
    outer_face_ids: Int[np.ndarray, " O"]
    """Skin and lips that can be seen from outside: what may be matched with a target."""
    outer: Bool[np.ndarray, " V"]
    """Vertices of those faces."""
    face: Bool[np.ndarray, " V"]
    """Outer vertices of the front of the face: brows to chin."""
    weight: Float[np.ndarray, " V"]
    """Area of each outer vertex (mm^2), counted in full on the face and less behind it; 0 on inner vertices."""
    lip_side: Int[np.ndarray, " V"]
    """+1 upper lip, -1 lower lip, with the skin around them; 0 elsewhere."""
    lid_side: Int[np.ndarray, " V"]
    """The same for the lids of both eyes."""
    component: Int[np.ndarray, " V"]
    """Connected piece of each vertex."""
    modes: ShapeModes
    """How the template may change shape."""

    @property
    def vertices(self) -> Float[np.ndarray, "V 3"]:
        """The template at rest."""
        return self.mesh.vertices

    @property
    def basis(self) -> Float[np.ndarray, "K V 3"] | None:
        """Directions in which heads differ, each one standard deviation long (mm); None without statistics."""
        return self.modes.directions[self.modes.identity] if self.modes.n_identity else None

    @cached_property
    def outer_faces(self) -> Int[np.ndarray, "O 3"]:
        """Corners of the outer faces."""
        return self.mesh.faces[self.outer_face_ids]

    @property
    def side(self) -> Int[np.ndarray, " V"]:
        """+1 above the mouth or an eye, -1 below, 0 elsewhere. Mouth and eyes lie too far apart to be confused."""
        return self.lip_side + self.lid_side

    def face_side(self, side: Int[np.ndarray, " V"]) -> Int[np.ndarray, " F"]:
        """The side of each face: that of any of its corners, 0 where they disagree."""
        return np.sign(side[self.mesh.faces].sum(axis=1)).astype(np.int64)


def face_template(
    mesh: Mesh,
    shape_basis: Float[np.ndarray, "K V 3"] | None = None,
    expressions: Mapping[str, Float[np.ndarray, "V 3"]] | None = None,
    openings: tuple[Opening, ...] | None = None,
    expression_poses: tuple[tuple[str, ...], ...] = (),
) -> FaceTemplate:
    """Work out the regions of a template head in the face frame.

    Args:
        mesh: with parts "skin" and "lips" where it has inner parts; a mesh without parts is skin all over.
        shape_basis: see `FaceTemplate.basis`.
        expressions: what the face may do, by name: displacements at full intensity, mm.
        expression_poses: see `ShapeModes.poses`.
        openings: rims of mouth and eyes; None takes the mouth's between the parts "lips" and "mouth".

    Raises:
        MeshError: when the basis does not fit the mesh, or nothing of the face lies where the face frame says.
    """
    if shape_basis is not None and shape_basis.shape[1:] != mesh.vertices.shape:
        raise MeshError(f"shape_basis needs shape (K, {mesh.n_vertices}, 3), found {shape_basis.shape}")
    outer_ids = outer_faces(mesh)
    if mesh.part_of_face is not None:
        skin = [row for row, name in enumerate(mesh.part_names) if name in SKIN_PARTS]
        outer_ids = outer_ids[np.isin(mesh.part_of_face[outer_ids], skin)]
    outer = np.zeros(mesh.n_vertices, bool)
    outer[mesh.faces[outer_ids]] = True
    face = outer & _front_of_face(mesh)
    if face.sum() < 100:
        raise MeshError(
            f"a template needs its face in the face frame (mm, eyes at the origin); found {face.sum()} vertices there"
        )
    openings = mouth_opening(mesh) if openings is None else openings
    sides = {"mouth": np.zeros(mesh.n_vertices, np.int64), "eye": np.zeros(mesh.n_vertices, np.int64)}
    for opening in openings:
        sides[opening.kind] += opening_sides(mesh, mesh.faces[_skin(mesh)], opening)
    area = vertex_areas(mesh.vertices, mesh.faces[outer_ids])
    return FaceTemplate(
        mesh=mesh,
        outer_face_ids=outer_ids,
        outer=outer,
        face=face,
        weight=area * np.where(face, 1.0, BEHIND_WEIGHT) * np.where(sides["mouth"] + sides["eye"], RIM_WEIGHT, 1.0),
        lip_side=sides["mouth"],
        lid_side=sides["eye"],
        component=vertex_components(mesh.vertices, mesh.faces),
        modes=_modes(mesh, outer, shape_basis, expressions or {}, openings, expression_poses),
    )


def _skin(mesh: Mesh) -> Bool[np.ndarray, " F"]:
    """Faces of the parts that are skin; all where the mesh names no parts."""
    if mesh.part_of_face is None:
        return np.ones(mesh.n_faces, bool)
    return np.isin(np.array(mesh.part_names)[mesh.part_of_face], SKIN_PARTS)


def _front_of_face(mesh: Mesh) -> Bool[np.ndarray, " V"]:
    """Brows to chin, cheek to cheek."""
    x, y, z = mesh.vertices.T
    return (np.abs(x) < 60) & (y > -105) & (y < 45) & (z > -25)


def _modes(
    mesh: Mesh,
    outer: Bool[np.ndarray, " V"],
    shape_basis: Float[np.ndarray, "K V 3"] | None,
    expressions: Mapping[str, Float[np.ndarray, "V 3"]],
    openings: tuple[Opening, ...],
    poses: tuple[tuple[str, ...], ...],
) -> ShapeModes:
    vertices = mesh.vertices
    basis = np.zeros((0, *vertices.shape)) if shape_basis is None else shape_basis
    scales, count = (SMOOTH_SCALES_MM, SMOOTH_MODES) if len(basis) else (SMOOTH_ONLY_SCALES_MM, SMOOTH_ONLY_MODES)
    eyes = [centre_of(opening, vertices) for opening in openings if opening.kind == "eye"]
    smooth = np.concatenate([smooth_modes(vertices, vertices[outer], scales, count), swelling_modes(vertices, eyes)])
    shown = np.stack(list(expressions.values())) if expressions else np.zeros((0, *vertices.shape))
    return ShapeModes(np.concatenate([basis, smooth, shown]), len(basis), len(smooth), tuple(expressions), poses)
