"""`python -m viewer.head_worker IN OUT NAME [STYLE]`: a stranger's file becomes what the page shows, by itself.

OUT is what the page draws, OUT.glb the rig as our readers take it, OUT.json where landmarks and regions are.

The process bounds its own memory and file sizes before it reads a byte; whoever started it bounds its time. It says on
stdout, a JSON object a line, how far it is, and last what was wrong with the file if anything was.
"""

import dataclasses
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mesh4d.errors import MeshError, MeshFormatError

if TYPE_CHECKING:
    from viewer.messages import HeadMap

MEMORY_BYTES = 6 << 30
"""Address space: what libraries map, plus a head of a few million vertices."""
OUTPUT_BYTES = 1 << 30


def main() -> None:
    """Convert one file; exit code 2 when it is no head."""
    bound_resources()
    source, target, name = sys.argv[1:4]
    try:
        say(stage="reading")
        content, places = _rig_and_map(Path(source), *sys.argv[4:5])
        say(stage="packing")
        from viewer.compact import page_payload

        Path(f"{target}.glb").write_bytes(content)
        if places is not None:
            Path(f"{target}.json").write_text(json.dumps(dataclasses.asdict(places)))
        Path(target).write_bytes(page_payload(content))
    except MemoryError:
        say(error=f"{name}: needs more than {MEMORY_BYTES >> 30} GiB of memory")
        raise SystemExit(2) from None
    except (MeshError, OSError) as error:
        say(error=str(error).replace(source, name))
        raise SystemExit(2) from None


def _rig_and_map(source: Path, style: str = "natural") -> "tuple[bytes, HeadMap | None]":
    """The GLB of a rig as it is, or of the rig that is predicted for a head without one, in the face frame.

    Of a rig as it is no map is made: that would take a registration that nobody may ask for.
    """
    from aublend import read_rig
    from aublend.predict import rig_of_fit
    from aublend.registration import fit_head
    from aublend.rig_files import MORPH_SUFFIXES, morph_mesh
    from aublend.style import style_named
    from mesh4d.io.gltf_write import gltf_bytes
    from viewer.head_map import map_of_fit
    from viewer.openings import first_mesh

    if source.suffix.lower() in (".npz", *MORPH_SUFFIXES):
        with suppress(MeshFormatError):  # a mesh without a rig; if it is broken, the reader below says how
            return gltf_bytes(morph_mesh(read_rig(source)), None, binary=True), None
    mesh = first_mesh(source)
    say(stage="finding the face and predicting its rig")
    fit = fit_head(mesh)
    upright = rig_of_fit(fit, style=style_named(style)).moved(fit.to_mesh.inverse())
    say(stage="finding landmarks and regions")
    return gltf_bytes(morph_mesh(upright), None, binary=True), map_of_fit(fit)


def bound_resources() -> None:
    """Limit this process's memory and the size of what it writes, before it reads a stranger's file."""
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows: there the time limit alone holds
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def say(**message: str) -> None:
    """Tell whoever started this process how far it is, or what is wrong."""
    print(json.dumps(message), flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
