"""What the three bands of a picture hold: geometry by default, or depth, normals, shading or texture alone."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mesh4d.errors import SpecError
from mesh4d.render import Views

BANDS: Mapping[str, tuple[str, str, str]] = {
    "geometry": ("normal_x", "normal_y", "depth"),
    "depth": ("depth", "depth", "depth"),
    "normals": ("normal_x", "normal_y", "normal_z"),
    "shaded": ("shaded_r", "shaded_g", "shaded_b"),
    "equalized": ("shaded_r", "shaded_g", "shaded_b"),
    "texture": ("texture_r", "texture_g", "texture_b"),
}
"""geometry: the third normal component follows from the other two (visible surfaces face the camera), so its place goes
to depth, which carries what normals cannot: how far the jaw, lips and cheeks have moved, and the outline. equalized:
shaded, each band's histogram made flat, as Nunnari et al. (arXiv 2507.20197) do against lights that differ."""
COLOURS = ("shaded", "texture")


def channels_of(inputs: str) -> tuple[str, ...]:
    """The renderer's channels that a kind of input needs.

    Raises:
        SpecError: an unknown kind.
    """
    if inputs not in BANDS:
        raise SpecError(f"expected inputs among {', '.join(BANDS)}, found {inputs!r}")
    return tuple(dict.fromkeys(band.rpartition("_")[0] or band for band in BANDS[inputs]))


def pictures(
    views: Views, triangle_ids: Int[np.ndarray, "N H W"], inputs: str, hidden: Bool[np.ndarray, "N H W"] | None = None
) -> UInt8[np.ndarray, "N 3 H W"]:
    """The bands of one kind of input as bytes.

    Args:
        views: with the channels of `channels_of(inputs)`.
        triangle_ids: what each pixel sees; -1 is nothing.
        hidden: pixels to paint as empty space.
    """
    stack = np.stack([views.channel(band) for band in BANDS[inputs]], axis=1)
    nothing = np.zeros(stack[:, 0].shape, bool) if hidden is None else hidden
    if BANDS[inputs][0].startswith(COLOURS):
        seen = triangle_ids >= 0
        stack = 2.0 * stack - 1.0
        if inputs == "equalized":
            stack = np.stack([equalized(picture, mask) for picture, mask in zip(stack, seen, strict=True)])
        nothing = nothing | ~seen
    return to_bytes(np.where(nothing[:, None], empty_space(inputs), stack))


def empty_space(inputs: str) -> Float[np.ndarray, "3 1 1"]:
    """What a pixel holds where there is nothing: no normal, far away, or black."""
    values = {"depth": 1.0, "normal_x": 0.0, "normal_y": 0.0, "normal_z": 0.0}
    return np.array([values.get(band, -1.0) for band in BANDS[inputs]]).reshape(3, 1, 1)


def equalized(picture: Float[np.ndarray, "3 H W"], seen: Bool[np.ndarray, "H W"]) -> Float[np.ndarray, "3 H W"]:
    """Each band's seen values replaced by their rank, -1 to 1: its histogram is flat."""
    flat = picture.copy()
    for band in flat:
        values = band[seen]
        if len(values) > 1:
            order = np.sort(values)
            rank = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right") - 1) / 2
            band[seen] = 2.0 * rank / (len(values) - 1) - 1.0
    return flat


def to_bytes(values: Float[np.ndarray, "*B H W"]) -> UInt8[np.ndarray, "*B H W"]:
    """-1..1 as 0..255; what lies outside is clipped."""
    return np.rint(np.clip(values, -1.0, 1.0) * 127.5 + 127.5).astype(np.uint8)
