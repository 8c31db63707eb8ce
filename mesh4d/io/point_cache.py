"""Vertex caches: .pc2 (3ds Max, Blender) and .mdd (LightWave), positions over time for a mesh that lies elsewhere.

Both hold float32 positions alone; the faces come from a topology that the caller gives. A .pc2 file counts in frames,
not seconds, so its frame rate is the caller's too. A .mdd file has the time of each frame in seconds.
"""

import struct
from os import PathLike
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from mesh4d.errors import MeshError, MeshFormatError
from mesh4d.io.sources import read_bytes, write_bytes
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence

PC2_HEADER = struct.Struct("<12sIIffI")
"""Magic, version, vertices, first frame, frames per sample, samples."""
PC2_MAGIC = b"POINTCACHE2\0"
MDD_HEADER = struct.Struct(">II")
"""Frames, vertices; the times and then the positions follow."""
DEFAULT_FPS = 30.0
UNEVEN = 0.05
"""Largest difference between two time steps of a .mdd file that is still rounding, as a part of a step."""


def read_pc2(path: str | PathLike[str], topology: Mesh, fps: float = DEFAULT_FPS) -> MeshSequence:
    """Read a .pc2 file (or .pc2.gz); frames stay float32.

    Args:
        path: the file.
        topology: the mesh whose vertices move.
        fps: frames per second of the scene it was made in; the file does not say.

    Raises:
        MeshFormatError: naming the field; another number of vertices than the topology.
    """
    data, source = read_bytes(path), str(path)
    if len(data) < PC2_HEADER.size:
        raise MeshFormatError(source, "header", f"{PC2_HEADER.size} bytes", str(len(data)))
    magic, version, vertices, _, step, samples = PC2_HEADER.unpack_from(data)
    if magic != PC2_MAGIC or version != 1:
        raise MeshFormatError(source, "header", "POINTCACHE2 of version 1", f"{magic!r} {version}")
    if not 1e-6 < step < 1e6:
        raise MeshFormatError(source, "frames per sample", "a positive number", str(step))
    frames = _frames(data[PC2_HEADER.size :], "<f4", samples, vertices, topology, source)
    return MeshSequence(topology, frames, fps / step)


def write_pc2(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write a .pc2 file (or .pc2.gz): float32, one sample per frame; the frame rate is lost.

    Raises:
        MeshError: a position too large for float32.
    """
    count, vertices = sequence.frames.shape[:2]
    header = PC2_HEADER.pack(PC2_MAGIC, 1, vertices, 0.0, 1.0, count)
    write_bytes(path, header + _float32(sequence, path).astype("<f4").tobytes())


def read_mdd(path: str | PathLike[str], topology: Mesh, fps: float | None = None) -> MeshSequence:
    """Read a .mdd file (or .mdd.gz); frames stay float32.

    Args:
        path: the file.
        topology: the mesh whose vertices move.
        fps: overrides the frame rate that follows from the file's times.

    Raises:
        MeshFormatError: naming the field; another number of vertices than the topology; uneven times and no fps.
    """
    data, source = read_bytes(path), str(path)
    if len(data) < MDD_HEADER.size:
        raise MeshFormatError(source, "header", f"{MDD_HEADER.size} bytes", str(len(data)))
    count, vertices = MDD_HEADER.unpack_from(data)
    start = MDD_HEADER.size + 4 * count
    if len(data) < start:
        raise MeshFormatError(source, "times", f"{count} of them", f"{len(data)} bytes in all")
    times = np.frombuffer(data, ">f4", count, MDD_HEADER.size).astype(np.float64)
    frames = _frames(data[start:], ">f4", count, vertices, topology, source)
    return MeshSequence(topology, frames, _rate(times, source) if fps is None else fps)


def write_mdd(sequence: MeshSequence, path: str | PathLike[str]) -> None:
    """Write a .mdd file (or .mdd.gz): float32, times from 0.

    Raises:
        MeshError: a position too large for float32.
    """
    count, vertices = sequence.frames.shape[:2]
    times = (np.arange(count) / sequence.fps).astype(">f4")
    positions = _float32(sequence, path).astype(">f4")
    write_bytes(path, MDD_HEADER.pack(count, vertices) + times.tobytes() + positions.tobytes())


def _frames(
    data: bytes, kind: str, count: int, vertices: int, topology: Mesh, source: str
) -> Float32[np.ndarray, "T V 3"]:
    if len(data) != 12 * count * vertices:
        found = f"{count} frames of {vertices} vertices"
        raise MeshFormatError(source, "header", f"counts that fit {len(data)} bytes of positions", found)
    if vertices != topology.n_vertices:
        raise MeshFormatError(source, "header", f"{topology.n_vertices} vertices, as the topology has", str(vertices))
    if count == 0:
        raise MeshFormatError(source, "header", "at least one frame", "0")
    frames = np.frombuffer(data, kind).astype(np.float32).reshape(count, vertices, 3)
    finite = np.isfinite(frames).all(axis=(1, 2))
    if not finite.all():
        raise MeshFormatError(source, f"frame {int(np.argmin(finite))}", "finite positions", "others")
    return frames


def _rate(times: Float[np.ndarray, " T"], source: str) -> float:
    """Frames per second of evenly spaced times."""
    if len(times) < 2:
        return DEFAULT_FPS
    step = (times[-1] - times[0]) / (len(times) - 1)
    if not (np.isfinite(times).all() and step > 1e-6 and (np.abs(np.diff(times) - step) <= UNEVEN * step).all()):
        raise MeshFormatError(source, "times", "even steps (or pass fps)", str(times[:5].tolist()))
    return float(1.0 / step)


def _float32(sequence: MeshSequence, path: str | PathLike[str]) -> Float32[np.ndarray, "T V 3"]:
    if np.abs(sequence.frames).max(initial=0.0) > np.finfo(np.float32).max:
        raise MeshError(f"{Path(path)}: a position is too large for a vertex cache (float32)")
    return sequence.frames.astype(np.float32)
