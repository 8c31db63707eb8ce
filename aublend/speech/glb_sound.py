"""Sound inside a .glb: glTF's core has no place for it, so it lies where the draft KHR_audio_emitter puts it.

Programs without that extension ignore it and show the animation; the file beside the .glb is for them.
"""

from pathlib import Path

from mesh4d.errors import MeshFormatError
from mesh4d.io.atomic import atomic_write
from mesh4d.io.glb import Document, pack_glb, read_document
from mesh4d.io.sources import read_bytes

EXTENSION = "KHR_audio_emitter"
MIME_TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
"""What the extension knows."""


def embed_sound(animation: Path, content: bytes, mime_type: str, name: str) -> None:
    """Add a sound to a .glb that has none: one global emitter that plays with the animation from its start.

    Args:
        animation: the .glb; it is replaced.
        content: the bytes of the sound file.
        mime_type: one of MIME_TYPES.
        name: what the sound is called, such as the file's name.

    Raises:
        MeshFormatError: for a file that is no .glb, or has this extension already.
    """
    document = _glb(animation)
    root, fields = document.root, dict(document.root.fields)
    if root.item("extensions").has(EXTENSION):
        raise root.error("extensions", f"no {EXTENSION} yet", EXTENSION)
    start = len(document.chunk) + -len(document.chunk) % 4
    chunk = document.chunk.ljust(start, b"\0") + content
    views = [item.fields for item in root.items("bufferViews")]
    fields["bufferViews"] = [*views, {"buffer": 0, "byteOffset": start, "byteLength": len(content)}]
    fields["buffers"] = [{"byteLength": len(chunk)}]
    fields["extensionsUsed"] = [*root.texts("extensionsUsed"), EXTENSION]
    fields["extensions"] = root.item("extensions").fields | {
        EXTENSION: {
            "audio": [{"name": name, "bufferView": len(views), "mimeType": mime_type}],
            "sources": [{"name": name, "audio": 0, "gain": 1.0, "autoPlay": True, "loop": False}],
            "emitters": [{"name": "speech", "type": "global", "gain": 1.0, "sources": [0]}],
        }
    }
    scene, *others = root.items("scenes")
    placed = scene.item("extensions").fields | {EXTENSION: {"emitters": [0]}}
    fields["scenes"] = [scene.fields | {"extensions": placed}, *(item.fields for item in others)]
    with atomic_write(animation) as file:
        file.write(pack_glb(fields, chunk))


def embedded_sound(animation: Path) -> tuple[bytes, str] | None:
    """The first sound in a .glb and its mime type; None where there is none."""
    document = _glb(animation)
    sounds = document.root.item("extensions").item(EXTENSION).items("audio")
    if not sounds:
        return None
    return bytes(document.view(sounds[0])[0]), sounds[0].text("mimeType")


def _glb(path: Path) -> Document:
    content = read_bytes(path)
    if content[:4] != b"glTF":
        raise MeshFormatError(path, "file", "a .glb", repr(content[:4]))
    return read_document(content, path)
