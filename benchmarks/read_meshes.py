"""Reading one head as OBJ, PLY and VRML: ours beside pymeshlab, PyVista/VTK, trimesh and meshio.

The head: 26,732 vertices in quads with texture coordinates and twelve groups, written by our own writers. The note
column says what each reader made of it; a vertex count that changed breaks every blend shape. Then a binary PLY file
of a million vertices, beside reading its bytes and beside the least that any reader does that gives float64 positions
and int64 faces.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.timing import Timing, best_of, table
from mesh4d import Mesh, read_mesh, write_mesh
from mesh4d.io.sources import read_buffer
from mesh4d.mesh import fan_triangles

Reader = Callable[[Path], object]
POSITION = np.dtype([("xyz", "<f4", 3)])
TRIANGLE = np.dtype([("n", "u1"), ("corners", "<i4", 3)])


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


def peers(suffix: str) -> dict[str, Reader]:
    """The installed readers of a format, ours first; each gives back something that `vertex_count` knows."""
    import trimesh

    found: dict[str, Reader] = {"mesh4d": read_mesh}
    try:
        import pymeshlab

        def by_pymeshlab(path: Path) -> object:
            meshes = pymeshlab.MeshSet()
            meshes.load_new_mesh(str(path))
            return meshes  # which owns the mesh

        found["pymeshlab"] = by_pymeshlab
    except ImportError:
        pass
    try:
        import pyvista

        found["VTK"] = by_vtk_vrml if suffix == ".wrl" else lambda path: pyvista.read(str(path))
    except ImportError:
        pass
    try:
        import meshio

        found["meshio"] = lambda path: meshio.read(str(path))
    except ImportError:
        pass
    found["trimesh"] = lambda path: trimesh.load(str(path), process=False)
    found["raw bytes"] = lambda path: path.read_bytes()
    return found


def by_vtk_vrml(path: Path) -> int:
    """Read with vtkVRMLImporter; the points of its shapes, shared ones once."""
    from vtkmodules.vtkIOImport import vtkVRMLImporter

    importer = vtkVRMLImporter()
    importer.SetFileName(str(path))
    importer.Update()
    actors = importer.GetRenderer().GetActors()
    actors.InitTraversal()
    surfaces = [actors.GetNextActor().GetMapper().GetInput() for _ in range(actors.GetNumberOfItems())]
    return sum(
        {surface.GetPoints().GetAddressAsString(""): surface.GetNumberOfPoints() for surface in surfaces}.values()
    )


def vertex_count(result: object) -> str:
    """How many vertices a reader gives back."""
    if isinstance(result, int):
        return f"{result} vertices"
    if hasattr(result, "current_mesh"):
        return f"{result.current_mesh().vertex_number()} vertices"
    for name in ("n_vertices", "n_points"):
        if hasattr(result, name):
            return f"{getattr(result, name)} vertices"
    for name in ("vertices", "points"):
        if hasattr(result, name):
            return f"{len(getattr(result, name))} vertices"
    return ""


def compare(path: Path, title: str, readers: dict[str, Reader]) -> None:
    """Print the table of one file; a peer that cannot read it is named."""
    rows: list[Timing] = []
    for name, read in readers.items():
        try:
            rows.append(best_of(name, lambda read=read: read(path), note=vertex_count))
        except Exception as error:  # noqa: BLE001 - a peer may fail in any way; that is a result too
            print(f"{name} cannot read {path.suffix}: {str(error)[:80]}")
    print(table(f"{title}, {path.stat().st_size / 1e6:.1f} MB", rows, "mesh4d"))


def write_million(path: Path, rows: int = 1000, columns: int = 1000) -> tuple[int, int]:
    """A binary PLY file of float32 positions and int32 triangles, as scanners write it; how many there are."""
    head = grid_head(rows, columns)
    vertices, faces = np.empty(head.n_vertices, POSITION), np.empty(head.n_faces, TRIANGLE)
    vertices["xyz"], faces["n"], faces["corners"] = head.vertices, 3, head.faces
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [*(f"property float {axis}" for axis in "xyz"), f"element face {len(faces)}"]
    header += ["property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + vertices.tobytes() + faces.tobytes())
    return len(vertices), len(faces)


def least(path: Path, vertices: int, faces: int, *, quick: bool) -> object:
    """Read the bytes of `write_million` and convert them, with no check of any kind."""
    data = read_buffer(path) if quick else path.read_bytes()
    start = len(data) - faces * TRIANGLE.itemsize
    corners = np.frombuffer(data, TRIANGLE, faces, start)["corners"].astype(np.int64)
    first = start - vertices * POSITION.itemsize
    return np.frombuffer(data, POSITION, vertices, first)["xyz"].astype(np.float64), corners


def main() -> None:
    """Print a table per format."""
    warnings.filterwarnings("ignore", module="pyvista")
    warnings.filterwarnings("ignore", message=r"(?s).*mesh is not valid")
    head = grid_head()
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".obj", ".ply", ".wrl"):
            path = Path(folder) / f"head{suffix}"
            write_mesh(head, path)
            compare(path, f"{suffix}, {head.n_vertices} vertices", peers(suffix))
        path = Path(folder) / "million.ply"
        vertices, faces = write_million(path)
        readers = peers(".ply")
        readers["raw bytes into large pages"] = read_buffer
        readers["raw bytes + astype"] = lambda path: least(path, vertices, faces, quick=False)
        readers["raw bytes into large pages + astype"] = lambda path: least(path, vertices, faces, quick=True)
        compare(path, f"plain binary .ply, {vertices} vertices, {faces} triangles", readers)


if __name__ == "__main__":
    main()
