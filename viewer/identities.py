"""The embedded heads as the page browses them: rigs by seed and style, and their pictures."""

from functools import lru_cache

import numpy as np

from aublend.anatomy import eye_centre
from aublend.head_model import HeadModel, head_model
from aublend.identity import Identity
from aublend.rig import AURig
from aublend.rig_files import morph_mesh
from aublend.style import Style, style_named
from aublend.unit_shapes import eyeball_deltas, with_anatomy
from mesh4d.io.gltf_write import gltf_bytes
from mesh4d.io.textures import encode_png
from mesh4d.render import render_views
from viewer.head_map import map_of_fit
from viewer.messages import HeadMap

LARGEST_SEED = 999_999
NATURAL = "natural"
PICTURE_PX = 144


@lru_cache(maxsize=24)
def identity_glb(seed: int, style: str = NATURAL) -> bytes:
    """The rig of an embedded head in a style.

    Raises:
        SpecError: for an unknown style.
    """
    model = head_model()
    rig = styled_rig(model, model.parameters(seed), style_named(style))
    return gltf_bytes(morph_mesh(rig), None, binary=True)


def styled_rig(model: HeadModel, identity: Identity, style: Style) -> AURig:
    """The ground-truth rig of an identity, its shapes reshaped by a style before lids and lips are brought to meet."""
    neutral, deltas = model.neutral(identity), model.deltas(identity)
    if style.name != NATURAL:
        deltas = style.shaped(deltas)
        for eye in model.shapes.eyes:
            deltas[:, eye] = eyeball_deltas(neutral.vertices[eye], eye_centre(neutral.vertices, eye))
        deltas = with_anatomy(model.shapes, neutral.vertices, deltas)
    return model.rig_from_deltas(neutral, deltas)


@lru_cache(maxsize=256)
def identity_picture(seed: int) -> bytes:
    """A PNG of the neutral head from the front, clear around it."""
    views = render_views(head_model().identity(seed), "frontal", PICTURE_PX, ("shaded", "mask"))
    color, inside = views.channel("shaded")[0], views.channel("mask")[0]
    picture = np.dstack([np.clip(color, 0.0, 1.0), inside.reshape(PICTURE_PX, PICTURE_PX)])
    return encode_png(np.rint(255 * picture).astype(np.uint8))


@lru_cache(maxsize=1)
def embedded_map() -> HeadMap:
    """Landmarks and regions, the same on every embedded head."""
    from aublend.registration import fit_head

    return map_of_fit(fit_head(head_model().topology))
