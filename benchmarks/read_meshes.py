"""Reading one head as OBJ, PLY and VRML: ours beside pymeshlab, PyVista/VTK, trimesh and meshio.

The head: 26,7xx vertices in quads with texture coordinates and twelve groups, written by our own writers. The note
column says what each reader made of it; a vertex count that changed breaks every blend shape.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.timing import Timing, best_of, table
from mesh4d import Mesh, read_mesh, write_mesh
from mesh4d.mesh import fan_triangles


def grid_head(rows: int = 163, columns: int = 164) -> Mesh:
    """A head-like surface of quads with uv and parts: rows x columns vertices."""
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    theta, phi = 2 * np.pi * u, np.pi * (0.02 + 0.96 * v)
    radius = 90 + 6 * np.sin(5 * theta) * np.sin(phi) ** 2
    points = np.stack([np.sin(phi) * np.sin(theta), np.cos(phi), np.sin(phi) * np.cos(theta)], axis=-1)
    vertices = (points * radius[..., None]).reshape(-1, 3).round(6)
    corner = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]], axis=-1).reshape(-1, 4)
    faces, polygon = fan_triangles(quads.ravel(), np.full(len(quads), 4))
    part = np.repeat(np.arange(len(quads)) * 12 // len(quads), 2)
    uv = np.stack([u, v], axis=-1).reshape(-1, 2).round(6)
    names = tuple(f"part_{number}" for number in range(12))
    return Mesh(vertices, faces, polygon, uv=uv, uv_faces=faces, part_of_face=part, part_names=names)


def peers() -> dict[str, Callable[[Path], object]]:
    """The readers that are installed, as path -> anything."""
    found: dict[str, Callable[[Path], object]] = {"mesh4d": read_mesh}
    try:
        import pymeshlab

        def by_pymeshlab(path: Path) -> object:
            meshes = pymeshlab.MeshSet()
            meshes.load_new_mesh(str(path))
            return meshes.current_mesh()

        found["pymeshlab"] = by_pymeshlab
    except ImportError:
        pass
    try:
        import pyvista

        found["pyvista"] = lambda path: pyvista.read(str(path))
    except ImportError:
        pass
    try:
        import meshio

        found["meshio"] = lambda path: meshio.read(str(path))
    except ImportError:
        pass
    import trimesh

    found["trimesh"] = lambda path: trimesh.load(str(path), process=False)
    found["raw bytes"] = lambda path: path.read_bytes()
    return found


def vertex_count(result: object) -> str:
    """How many vertices a reader gives back."""
    for name in ("n_vertices", "n_points"):
        if hasattr(result, name):
            return f"{getattr(result, name)} vertices"
    if hasattr(result, "vertex_number"):
        return f"{result.vertex_number()} vertices"
    for name in ("vertices", "points"):
        if hasattr(result, name):
            return f"{len(getattr(result, name))} vertices"
    return ""


def main() -> None:
    """Print a table per format."""
    head = grid_head()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".obj", ".ply", ".wrl"):
            path = Path(folder) / f"head{suffix}"
            write_mesh(head, path)
            rows: list[Timing] = []
            for name, read in peers().items():
                try:
                    rows.append(best_of(name, lambda read=read, path=path: read(path), note=vertex_count))
                except Exception as error:  # noqa: BLE001 - a peer may fail in any way; that is a result too
                    print(f"{name} cannot read {suffix}: {str(error)[:80]}")
            size = path.stat().st_size / 1e6
            print(table(f"{suffix}, {head.n_vertices} vertices, {size:.1f} MB", rows, "mesh4d"))


if __name__ == "__main__":
    main()
