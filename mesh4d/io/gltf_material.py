"""Materials of glTF: how the parts of a head look, and the picture that a file paints them with."""

import logging

import numpy as np
from jaxtyping import UInt8

from mesh4d.errors import MeshFormatError
from mesh4d.io.glb import Document
from mesh4d.io.json_items import Item
from mesh4d.io.textures import decode_texture
from mesh4d.materials import material_of_part, to_linear

RGBA = tuple[float, float, float, float]

logger = logging.getLogger(__name__)


def material(name: str | None, colors: dict[str, RGBA] | None) -> dict[str, object]:
    """The glTF material of one part; without a name for a mesh that has no parts.

    Args:
        name: the part.
        colors: linear RGBA of parts that shall not look as `mesh4d.materials` has them.
    """
    look = material_of_part(name or "skin")
    red, green, blue = to_linear(np.array(look.srgb)).tolist()
    color = (colors or {}).get(name or "", (red, green, blue, 1.0))
    roughness = round(0.75 - 0.6 * look.gloss, 3)
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
