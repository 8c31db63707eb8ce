"""The HTML around the client: one shell for the served page and for the self-contained one."""

import base64
import dataclasses
import html
import json
import re
from pathlib import Path

from viewer.compact import page_payload
from viewer.messages import HeadMap, ViewerMetadata

STATIC_FOLDER = Path(__file__).parent / "static"
SCRIPT_NAME, STYLE_NAME = "viewer.js", "viewer.css"

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
{policy}<title>{title}</title>
{style}
</head>
<body>
<div id="viewer"><p class="opening" role="status">Opening {title}</p>
<noscript>This page draws a head with WebGL and needs JavaScript.</noscript></div>
{data}{script}
</body>
</html>
"""
_OFFLINE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"
)


class ClientMissingError(FileNotFoundError):
    """The built client is not in viewer/static."""


def client_file(name: str) -> str:
    """The text of one of the two built client files.

    Raises:
        ClientMissingError: when the client was never built.
    """
    try:
        return (STATIC_FOLDER / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ClientMissingError(f"{STATIC_FOLDER / name} is missing; run `make viewer` to build the page") from error


def served_page(title: str) -> str:
    """The page of the server: client and data come from routes beside it."""
    return _SHELL.format(
        policy="",
        title=html.escape(title),
        style=f'<link rel="stylesheet" href="{STYLE_NAME}">',
        data="",
        script=f'<script src="{SCRIPT_NAME}"></script>',
    )


def standalone_page(glb_bytes: bytes, metadata: ViewerMetadata, places: HeadMap | None = None) -> str:
    """The page with client and data inside; its policy lets it fetch nothing."""
    payload = base64.b64encode(page_payload(glb_bytes)).decode("ascii")
    found = "" if places is None else _inside_json(json.dumps(dataclasses.asdict(places)))
    marks = f'<script type="application/json" id="viewer-map">{found}</script>\n' if found else ""
    return _SHELL.format(
        policy=f'<meta http-equiv="Content-Security-Policy" content="{_OFFLINE_POLICY}">\n',
        title=html.escape(metadata.title),
        style=f"<style>{_inside_style(client_file(STYLE_NAME))}</style>",
        data=f'<script type="application/json" id="viewer-metadata">{_inside_json(metadata_json(metadata))}</script>\n'
        f'<script type="application/octet-stream" id="viewer-rig">{payload}</script>\n{marks}',
        script=f"<script>{_inside_script(client_file(SCRIPT_NAME))}</script>",
    )


def metadata_json(metadata: ViewerMetadata) -> str:
    """The metadata as the page reads them."""
    return json.dumps(dataclasses.asdict(metadata), ensure_ascii=False, allow_nan=False)


def _inside_json(text: str) -> str:
    """JSON that no HTML parser can leave: every '<' as an escape."""
    return text.replace("<", "\\u003c")


def _inside_script(text: str) -> str:
    """JavaScript that cannot end its element: both sequences stand only in strings, where the escape means the same."""
    return re.sub(r"</(?=script)", r"<\\/", text, flags=re.IGNORECASE).replace("<!--", "\\x3c!--")


def _inside_style(text: str) -> str:
    return re.sub(r"</(?=style)", r"<\\/", text, flags=re.IGNORECASE)
