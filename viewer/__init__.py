"""viewer: a head in the browser, served locally or exported as one HTML page."""

from viewer.export import embed_fragment, export_html, write_html
from viewer.messages import ViewerMetadata
from viewer.scene import glb_of_file, viewer_metadata

__all__ = ["ViewerMetadata", "embed_fragment", "export_html", "glb_of_file", "viewer_metadata", "write_html"]
