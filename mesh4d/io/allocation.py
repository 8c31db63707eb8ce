"""How much memory a file may ask for before it is read: a few times its own size."""

from mesh4d.errors import MeshFormatError

PER_TRIANGLE = 130
"""Bytes that one triangle of a polygon takes at most while it is read, with its texture coordinates."""


def memory_limit(size: int) -> int:
    """Bytes of memory that reading `size` bytes of file may take."""
    return 16 * size + (64 << 20)


def check_triangles(source: str, place: str, triangles: int, size: int) -> None:
    """Refuse polygons that fall into more triangles than can be read within the limit.

    Scans stay far below it: an index into thousands of vertices has more digits than it takes to break the limit.

    Raises:
        MeshFormatError: when `triangles` are too many for `size` bytes of file.
    """
    most = memory_limit(size) // PER_TRIANGLE
    if triangles > most:
        raise MeshFormatError(source, place, f"at most {most} triangles in a file of {size} bytes", str(triangles))
