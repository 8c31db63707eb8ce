"""Pictures that a mesh file refers to. A missing or broken picture costs the texture, never the mesh."""

import io
import logging
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mesh4d.io.sources import expansion_limit, file_inside

logger = logging.getLogger(__name__)


def texture_beside(folder: Path, name: str) -> UInt8[np.ndarray, "H W C"] | None:
    """The picture called `name` inside `folder` as RGB or RGBA, row 0 at the top; None when there is none."""
    path = file_inside(folder, name)
    if path is None:
        logger.warning("texture %r is not in %s; read without it", name, folder)
        return None
    return decode_texture(path.read_bytes(), str(path))


def decode_texture(content: bytes, source: str) -> UInt8[np.ndarray, "H W C"] | None:
    """The picture in `content` as RGB or RGBA, row 0 at the top; None (and a warning) when it cannot be read."""
    from PIL import Image

    broken = (
        OSError,
        SyntaxError,
        ValueError,
        TypeError,
        IndexError,
        OverflowError,
        EOFError,
        struct.error,
        zlib.error,
    )
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "BMP", "TGA", "TIFF", "WEBP")) as picture:
            if 4 * picture.width * picture.height > expansion_limit(len(content)):
                logger.warning("texture %s has %d x %d pixels; read without it", source, picture.width, picture.height)
                return None
            transparent = "A" in picture.getbands() or "transparency" in picture.info
            return np.array(picture.convert("RGBA" if transparent else "RGB"))
    except (*broken, Image.DecompressionBombError) as error:
        logger.warning("texture %s cannot be read (%s); read without it", source, error)
        return None


def encode_png(texture: UInt8[np.ndarray, "H W C"]) -> bytes:
    """The picture as a PNG file (1 channel grey, 3 RGB, 4 RGBA)."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(texture[..., 0] if texture.shape[2] == 1 else texture).save(out, "PNG")
    return out.getvalue()
