"""Materials of glTF: how the parts of a head look, and the picture that a file paints them with."""

import logging

import numpy as np
from jaxtyping import UInt8

from mesh4d.errors import MeshFormatError
from mesh4d.io.glb import Document
from mesh4d.io.json_items import Item
from mesh4d.io.textures import decode_texture

RGBA = tuple[float, float, float, float]

PALETTE: dict[str, tuple[RGBA, float]] = {
    "skin": ((0.72, 0.46, 0.36, 1.0), 0.55),
    "eyes": ((0.85, 0.85, 0.83, 1.0), 0.15),
    "teeth": ((0.80, 0.76, 0.66, 1.0), 0.30),
    "tongue": ((0.55, 0.18, 0.17, 1.0), 0.45),
    "lashes": ((0.03, 0.02, 0.02, 1.0), 0.80),
}
"""Part -> base colour (linear RGBA) and roughness; other parts are a light grey."""
OTHER_PART: tuple[RGBA, float] = ((0.65, 0.65, 0.65, 1.0), 0.6)

logger = logging.getLogger(__name__)


def material(name: str | None, colors: dict[str, RGBA] | None) -> dict[str, object]:
    """The glTF material of one part; without a name for a mesh that has no parts.

    Args:
        name: the part.
        colors: linear RGBA of parts that shall not look as PALETTE has them.
    """
    color, roughness = PALETTE.get(name or "skin", OTHER_PART)
    color = (colors or {}).get(name or "", color)
    entry: dict[str, object] = {"name": name} if name else {}
    entry["pbrMetallicRoughness"] = {
        "baseColorFactor": [float(channel) for channel in color],
        "metallicFactor": 0.0,
        "roughnessFactor": roughness,
    }
    if color[3] < 1.0:
        entry["alphaMode"] = "BLEND"
    entry["doubleSided"] = True  # the mouth bag and the lashes are seen from both sides
    return entry


def base_color_texture(document: Document, primitives: list[Item]) -> UInt8[np.ndarray, "H W C"] | None:
    """The picture of the first primitive whose material has one; None (and a warning) when it cannot be had."""
    for primitive in primitives:
        if not primitive.has("material"):
            continue
        surface = document.refer(primitive, "material", "materials").item("pbrMetallicRoughness")
        if not surface.has("baseColorTexture"):
            continue
        texture = document.refer(surface.item("baseColorTexture"), "index", "textures")
        if not texture.has("source"):
            continue
        image = document.refer(texture, "source", "images")
        try:
            embedded = image.has("bufferView")
            content = document.view(image)[0] if embedded else document.resource(image, image.text("uri"))
        except MeshFormatError as error:
            logger.warning("%s; read without it", error)
            return None
        return decode_texture(bytes(content), document.source)
    return None
