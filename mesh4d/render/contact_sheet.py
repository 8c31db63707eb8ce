"""Titled pictures on one page: all channels and views of a render, or any list of pictures."""

from collections.abc import Sequence
from os import PathLike

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from mesh4d.errors import MeshError
from mesh4d.io.atomic import atomic_write
from mesh4d.render.channels import BACKGROUND
from mesh4d.render.multiview import Views

Picture = Float[np.ndarray, "_ _ 3"] | UInt8[np.ndarray, "_ _ 3"]

PAGE, INK = (238, 238, 236), (44, 46, 50)
GAP, TITLE_HEIGHT, FONT_SIZE = 8, 20, 13  # pixels


def contact_sheet(views: Views, path: str | PathLike[str], frame: int = 0) -> None:
    """Write a PNG of one frame: a row per channel, a column per view, each picture titled.

    Args:
        views: what to show; bands that make no whole channel are left out.
        path: the PNG to write.
        frame: which frame of a sequence.
    """
    if not 0 <= frame < views.n_frames:
        raise MeshError(f"expected a frame from 0 to {views.n_frames - 1}, found {frame}")
    width = len(views.rig)
    chosen = slice(frame * width, (frame + 1) * width)
    pictures, titles = [], []
    for channel in views.channels:
        pictures += list(as_pictures(channel, views.channel(channel)[chosen]))
        titles += [f"{channel}, {view}" for view in views.rig.view_names]
    image_grid(pictures, titles, width, path)


def as_pictures(channel: str, values: Float[np.ndarray, "K H W *bands"]) -> Float[np.ndarray, "K H W 3"]:
    """A channel's views as RGB, 0 to 1.

    Depth from near (bright) to far, normals from -1..1 as colours, positions and motions from the lowest to the highest
    as colours (motion with grey for none), a colour per triangle; the rest as it is.
    """
    if channel == "depth":
        seen = values[values != BACKGROUND["depth"]]
        near, far = (float(seen.min()), float(seen.max())) if seen.size else (-1.0, 1.0)
        values = np.clip(1.0 - 0.9 * (values - near) / max(far - near, 1e-6), 0.0, 1.0)
    elif channel == "normal":
        values = 0.5 + 0.5 * values
    elif channel == "motion":
        values = 0.5 + 0.5 * values / max(float(np.abs(values).max(initial=0.0)), 1e-6)
    elif channel == "position":
        seen = values[values.any(axis=-1)].reshape(-1, 3)
        low, high = (seen.min(axis=0), seen.max(axis=0)) if seen.size else (np.zeros(3), np.ones(3))
        values = np.where(values.any(axis=-1, keepdims=True), (values - low) / np.maximum(high - low, 1e-6), 0.0)
    elif channel == "triangle_id":
        ids = values.astype(np.int64)
        shades = np.stack([(ids * prime) % 251 / 250.0 for prime in (97, 57, 31)], axis=-1)
        values = np.where(ids[..., None] >= 0, shades, 0.0)
    elif channel == "uv":
        values = np.concatenate([np.maximum(values, 0.0), np.zeros_like(values[..., :1])], axis=-1)
    return values if values.ndim == 4 else np.repeat(values[..., None], 3, axis=3)


def image_grid(images: Sequence[Picture], titles: Sequence[str], columns: int, path: str | PathLike[str]) -> None:
    """Write a PNG of titled pictures, row by row; sizes may differ.

    Args:
        images: RGB, floats from 0 to 1 (sRGB; clipped) or bytes.
        titles: one above each picture; may be empty.
        columns: pictures in a row.
        path: the PNG to write.
    """
    if not images or len(titles) != len(images) or columns < 1:
        raise MeshError(
            f"a grid needs pictures, a title for each and columns; found {len(images)}, {len(titles)}, {columns}"
        )
    font = ImageFont.load_default(FONT_SIZE)
    cell_width = max(
        max(image.shape[1] for image in images), int(np.ceil(max(font.getlength(title) for title in titles)))
    )
    cell_height = max(image.shape[0] for image in images) + (TITLE_HEIGHT if any(titles) else 0)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    page = Image.new("RGB", (columns * (cell_width + GAP) + GAP, rows * (cell_height + GAP) + GAP), PAGE)
    pen = ImageDraw.Draw(page)
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        left = GAP + (number % columns) * (cell_width + GAP)
        top = GAP + (number // columns) * (cell_height + GAP)
        if title:
            pen.text((left + 1, top + 1), title, fill=INK, font=font)
        bottom = top + cell_height - image.shape[0]
        page.paste(Image.fromarray(to_bytes(image)), (left + (cell_width - image.shape[1]) // 2, bottom))
    with atomic_write(path) as file:
        page.save(file, format="PNG")


def to_bytes(image: Picture) -> UInt8[np.ndarray, "_ _ 3"]:
    """A picture as bytes; floats are clipped to 0..1 and rounded."""
    if image.dtype == np.uint8:
        return np.ascontiguousarray(image)
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)
