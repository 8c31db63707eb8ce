"""Memory while reading: the peak beside the mesh that comes out, for large files of each format.

tracemalloc sees what Python and numpy allocate, the bytes of the file among it, and that is all a reader has here.
"""

import dataclasses
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.read_meshes import grid_head, write_million
from mesh4d import Mesh, read_mesh, write_mesh

ROWS, COLUMNS = 500, 500
SUFFIXES = (".obj", ".ply", ".wrl", ".off", ".stl", ".npz", ".glb")


def mesh_bytes(mesh: Mesh) -> int:
    """Bytes of all arrays of a mesh, each counted once."""
    values = [getattr(mesh, item.name) for item in dataclasses.fields(mesh)]
    owners = [value if value.base is None else value.base for value in values if isinstance(value, np.ndarray)]
    return sum({id(owner): owner.nbytes for owner in owners}.values())


def peak_of(path: Path) -> tuple[int, int]:
    """Peak bytes while `path` is read, and the bytes of its mesh."""
    read_mesh(path)  # compiles and imports what it needs
    tracemalloc.start()
    mesh = read_mesh(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, mesh_bytes(mesh)


def main() -> None:
    """Print the table."""
    head = grid_head(ROWS, COLUMNS)
    print(f"\n### peak memory, {head.n_vertices} vertices in quads with uv and parts\n")
    print("| file | MB | mesh MB | peak MB | peak / mesh |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"head{suffix}" for suffix in SUFFIXES]
        for path in paths:
            write_mesh(head, path)
        million = Path(folder) / "million.ply"
        write_million(million)
        for path in [*paths, million]:
            peak, mesh = peak_of(path)
            numbers = f"{path.stat().st_size / 1e6:.1f} | {mesh / 1e6:.1f} | {peak / 1e6:.1f} | {peak / mesh:.2f}"
            print(f"| {path.name} | {numbers} |")


if __name__ == "__main__":
    main()
