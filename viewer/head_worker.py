"""`python -m viewer.head_worker IN OUT NAME`: a stranger's file becomes what the page shows, in a process of its own.

The process bounds its own memory and file sizes before it reads a byte; whoever started it bounds its time. It says on
stdout, a JSON object a line, how far it is, and last what was wrong with the file if anything was.
"""

import json
import sys
from contextlib import suppress
from pathlib import Path

from mesh4d.errors import MeshError, MeshFormatError

MEMORY_BYTES = 6 << 30
"""Address space: what libraries map, plus a head of a few million vertices."""
OUTPUT_BYTES = 1 << 30


def main() -> None:
    """Convert one file; exit code 2 when it is no head."""
    _bound_resources()
    source, target, name = sys.argv[1:]
    try:
        _say(stage="reading")
        content = _rig_glb(Path(source))
        _say(stage="packing")
        from viewer.compact import page_payload

        Path(target).write_bytes(page_payload(content))
    except MemoryError:
        _say(error=f"{name}: needs more than {MEMORY_BYTES >> 30} GiB of memory")
        raise SystemExit(2) from None
    except (MeshError, OSError) as error:
        _say(error=str(error).replace(source, name))
        raise SystemExit(2) from None


def _rig_glb(source: Path) -> bytes:
    """The GLB of a rig as it is, or of the rig that is predicted for a head without one, in the face frame."""
    from aublend import read_rig
    from aublend.predict import rig_of_fit
    from aublend.registration import fit_head
    from aublend.rig_files import morph_mesh
    from mesh4d import read_mesh
    from mesh4d.io.gltf_write import gltf_bytes

    if source.suffix.lower() in (".glb", ".npz"):
        with suppress(MeshFormatError):  # a mesh without a rig; if it is broken, the reader below says how
            return gltf_bytes(morph_mesh(read_rig(source)), None, binary=True)
    mesh = read_mesh(source)
    _say(stage="finding the face and predicting its rig")
    fit = fit_head(mesh)
    upright = rig_of_fit(fit).moved(fit.to_mesh.inverse())
    return gltf_bytes(morph_mesh(upright), None, binary=True)


def _bound_resources() -> None:
    try:
        import resource
    except ModuleNotFoundError:  # not on Windows: there the time limit alone holds
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_BYTES, OUTPUT_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _say(**message: str) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
