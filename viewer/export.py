"""Self-contained HTML: a page that opens from disk, and a fragment for the inside of a bigger report."""

import dataclasses
import html
import os
from pathlib import Path

from mesh4d.io.atomic import atomic_write
from viewer.messages import HeadMap, ViewerMetadata
from viewer.page import standalone_page


def export_html(
    glb_bytes: bytes, metadata: ViewerMetadata, title: str | None = None, places: HeadMap | None = None
) -> str:
    """One HTML page with the client, the labels and the rig inside; it opens from file:// and fetches nothing.

    Args:
        glb_bytes: a GLB, with or without morph targets and a weights animation.
        metadata: labels and presets, see `viewer.scene.viewer_metadata`.
        title: replaces the metadata's title.
        places: landmarks and regions, see `viewer.head_map.head_map`.
    """
    if title is not None:
        metadata = dataclasses.replace(metadata, title=title)
    return standalone_page(glb_bytes, metadata, places)


def write_html(
    glb_bytes: bytes,
    metadata: ViewerMetadata,
    path: str | os.PathLike[str],
    title: str | None = None,
    places: HeadMap | None = None,
) -> Path:
    """Write `export_html` to a file, which appears whole or not at all."""
    path = Path(path)
    with atomic_write(path, text=True) as file:
        file.write(export_html(glb_bytes, metadata, title, places))
    return path


def embed_fragment(glb_bytes: bytes, metadata: ViewerMetadata, height: int = 640) -> str:
    """An `<iframe>` that holds the whole page, to be put anywhere in the body of another HTML document.

    The frame runs its own scripts and may offer files to save: it reaches neither the document around it nor the
    network.

    Args:
        glb_bytes: a GLB, with or without morph targets and a weights animation.
        metadata: labels and presets; `autoplay` starts the animation in the report.
        height: of the frame, in CSS pixels.
    """
    page = html.escape(export_html(glb_bytes, metadata), quote=True)
    return (
        f'<iframe title="{html.escape(metadata.title, quote=True)}" loading="lazy" '
        f'sandbox="allow-scripts allow-downloads" '
        f'style="width:100%;height:{int(height)}px;border:0;border-radius:12px" srcdoc="{page}"></iframe>'
    )
