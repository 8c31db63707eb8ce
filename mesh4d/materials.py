"""What the parts of a head are made of, for every renderer and file that shows them; and sRGB against linear light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Material:
    """A plain surface."""

    srgb: tuple[float, float, float]
    """Colour as a colour picker shows it (sRGB, 0 to 1)."""
    gloss: float
    """Strength of the highlight: 0 matt, 1 wet."""


SKIN = Material((0.80, 0.63, 0.54), 0.10)
MATERIALS = {
    "lash": Material((0.17, 0.12, 0.10), 0.0),
    "brow": Material((0.26, 0.19, 0.15), 0.0),
    "hair": Material((0.26, 0.19, 0.15), 0.05),
    "pupil": Material((0.04, 0.04, 0.05), 0.9),
    "iris": Material((0.33, 0.42, 0.48), 0.9),
    "eye": Material((0.93, 0.92, 0.90), 0.9),
    "lip": Material((0.72, 0.43, 0.39), 0.25),
    "teeth": Material((0.90, 0.86, 0.78), 0.5),
    "gum": Material((0.70, 0.38, 0.36), 0.4),
    "tongue": Material((0.72, 0.36, 0.35), 0.3),
    "mouth": Material((0.42, 0.16, 0.16), 0.2),
}
"""By the first key that a part's name holds, in this order ('eyelashes' are lashes); any other part is skin."""


def material_of_part(name: str) -> Material:
    """The material for a part of that name."""
    return next((material for key, material in MATERIALS.items() if key in name.lower()), SKIN)


def to_linear(srgb: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """Linear light of sRGB values (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """sRGB values of linear light, clipped to 0..1 (IEC 61966-2-1)."""
    light = np.clip(linear, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
