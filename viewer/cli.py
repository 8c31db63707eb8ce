"""`mesh4d-viewer FILE`: look at a head, move its action units and play its animation in the browser."""

import dataclasses
import socket
import sys
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mesh4d.command import run_command
from mesh4d.errors import MeshError, NoFaceError
from viewer.embedded_sound import embedded_sound
from viewer.export import write_html
from viewer.head_map import map_of_glb
from viewer.messages import HeadMap
from viewer.opening_jobs import glb_of_opening
from viewer.openings import Shown, shown
from viewer.scene import viewer_metadata
from viewer.server import create_app


@dataclass(frozen=True)
class ViewerArguments:
    """Look at a head or rig in the browser: orbit it, move its action units, play its animation."""

    file: tyro.conf.Positional[Path | None] = None
    """A rig (.glb with morph targets, .npz from aublend), a mesh of any format, a sequence (a file, or a folder of
    frames), or the folder of a data set; by default the embedded head. What has no rig gets one."""
    port: int = 8765
    """Port on this machine; the next free one is taken when it is in use."""
    no_browser: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Only print the address; do not open the default browser."""
    audio: Path | None = None
    """A sound that is heard with the animation (wav, flac, ogg, mp3)."""
    phones: Path | None = None
    """What the sound says when, as `aublend speak` writes it (.TextGrid), or as any file of phone times."""
    export: Path | None = None
    """Write a self-contained HTML page here instead of serving; of a data set, name one of its files."""


def main() -> None:
    """Entry point of `mesh4d-viewer`."""
    arguments = tyro.cli(ViewerArguments, prog="mesh4d-viewer")
    run_command(lambda: run(arguments), as_json=False)


def run(arguments: ViewerArguments) -> dict[str, object]:
    """Serve or export the file named in the arguments."""
    if not 0 <= arguments.port <= 65535:
        raise MeshError(f"--port must be 0 to 65535, found {arguments.port}")
    if arguments.phones is not None and arguments.audio is None:
        raise MeshError("--phones needs --audio: the sound that they belong to")
    found = shown(arguments.file)
    if arguments.export is not None:
        found = rigged(found)
    infos = tuple(opening.info for opening in found.openings)
    metadata = viewer_metadata(found.title, seed=found.seed, openings=infos, opens=found.opens)
    if arguments.audio is not None:
        metadata = dataclasses.replace(metadata, sound=embedded_sound(arguments.audio, arguments.phones))
    if arguments.export is not None:
        return {"page": write_html(found.glb, metadata, arguments.export, places=_places(found.glb))}
    import uvicorn

    app = create_app(found.glb, metadata, openings=found.openings)
    with listening_socket(arguments.port) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={app.state.token}"
        print(f"{found.title}: {address}\nCtrl+C ends.", flush=True)
        if not arguments.no_browser:
            webbrowser.open(address)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
    return {}


def rigged(found: Shown) -> Shown:
    """What a page without a server shows: the rig and the curves that a server would make on the way.

    Raises:
        MeshError: for a data set, and for what cannot be worked on.
    """
    if not found.openings:
        return found
    if found.opens is None:
        raise MeshError(f"{found.title}: an exported page shows one head; name a file of the data set")
    opening = found.openings[found.opens]
    glb = glb_of_opening(opening, lambda stage: print(stage, file=sys.stderr))
    return Shown(found.title, glb)


def _places(glb_bytes: bytes) -> HeadMap | None:
    """Landmarks and regions of a head; None for what holds no face."""
    try:
        return map_of_glb(glb_bytes)
    except NoFaceError:
        return None


def listening_socket(port: int) -> socket.socket:
    """A socket bound to loopback on `port`, or on a free port when that one is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    return listener


if __name__ == "__main__":
    main()
