"""Meshes and sequences seen by a rig of cameras."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import CameraRig, Framing, camera_rig, frame_of
from mesh4d.render.materials import surface_of
from mesh4d.render.rasterize import MAX_SIZE, rasterize
from mesh4d.render.shading import CHANNEL_BANDS, Scene, bands_of, fill_channels
from mesh4d.sequence import MeshSequence

Result = TypeVar("Result")


@dataclass(frozen=True)
class Views:
    """Pictures of one mesh or sequence.

    Of a sequence of T frames seen by K cameras there are N = T * K pictures, all views of frame 0 first.
    """

    images: Float[np.ndarray, "N H W C"]
    """float32, row 0 on top; `render.shading` lists what each band holds."""
    channel_names: tuple[str, ...]
    """Bands along the last axis: 'depth', 'normal_x', ..."""
    rig: CameraRig
    framing: Framing
    triangle_ids: Int[np.ndarray, "N H W"] | None = None
    """Row of the mesh's faces seen at each pixel, -1 for none, int32; kept when asked for."""

    def __post_init__(self) -> None:
        count, bands = len(self.images), self.images.shape[-1]
        if bands != len(self.channel_names):
            raise MeshError(f"images have {bands} bands, but {len(self.channel_names)} names")
        if count % len(self.rig):
            raise MeshError(f"{count} pictures are no multiple of the rig's {len(self.rig)} views")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def n_frames(self) -> int:
        """T: 1 for a single mesh."""
        return len(self.images) // len(self.rig)

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels whose bands all stand here, such as ('depth', 'normal')."""
        return tuple(name for name, bands in CHANNEL_BANDS.items() if set(bands) <= set(self.channel_names))

    def channel(self, name: str) -> Float[np.ndarray, "N H W *bands"]:
        """One channel: (N,H,W) for a single band ('depth', 'normal_x'), (N,H,W,3) for 'normal' and 'shaded'."""
        if name in self.channel_names:
            return self.images[..., self.channel_names.index(name)]
        bands = CHANNEL_BANDS.get(name, ())
        if not bands or not set(bands) <= set(self.channel_names):
            raise MeshError(f"expected a channel among {self.channels} or {self.channel_names}, found {name!r}")
        first = self.channel_names.index(bands[0])
        return self.images[..., first : first + len(bands)]

    def by_frame(self) -> Float[np.ndarray, "T K H W C"]:
        """The same pictures with separate axes for frames and cameras."""
        return self.images.reshape(self.n_frames, len(self.rig), *self.images.shape[1:])


def render_views(
    shape: Mesh | MeshSequence,
    rig: str | CameraRig = "fer7",
    size: int = 224,
    channels: Iterable[str] = ("depth", "normal", "shaded"),
    framing: Framing | None = None,
    keep_triangle_ids: bool = False,
    threads: int | None = None,
) -> Views:
    """Render a mesh or every frame of a sequence from every camera of a rig.

    Convention: the mesh is in the face frame (+x the subject's left, +y up, +z out of the face).

    Args:
        shape: what to render. A whole sequence's pictures stay in memory: 4 bytes per pixel and band.
        rig: a rig, or the name of one in data_specs/views.toml.
        size: height and width in pixels.
        channels: any of 'depth', 'normal', 'mask', 'shaded' (see `render.shading`).
        framing: the sphere to show, e.g. `frame_of(vertices of the face)`. By default the whole mesh, measured once
            on a sequence's rest shape, so that the cameras stand still while the face moves.
        keep_triangle_ids: also return which triangle each pixel sees.
        threads: threads to use; by default `thread_count()`.

    Raises:
        MeshError: unknown channels, a size out of range, a mesh without surface, frames that are not finite.
        SpecError: an unknown rig.
    """
    rig = camera_rig(rig) if isinstance(rig, str) else rig
    topology = shape.topology if isinstance(shape, MeshSequence) else shape
    channels = tuple(channels)
    bands = bands_of(channels)
    if not 1 <= size <= MAX_SIZE:
        raise MeshError(f"size must be 1 to {MAX_SIZE} pixels, found {size}")
    framing = frame_of(topology) if framing is None else framing
    cameras = rig.cameras(framing)
    frames = _finite_frames(shape)
    pictures = len(frames) * len(rig)
    images = np.empty((pictures, size, size, len(bands)), np.float32)
    ids = np.empty((pictures, size, size), np.int32) if keep_triangle_ids else None
    surface, faces = surface_of(topology), np.ascontiguousarray(topology.faces, np.int32)
    needs_normals = not {"normal", "shaded"}.isdisjoint(channels)

    def prepare(vertices: Float[np.ndarray, "V 3"]) -> Scene:
        vertices = np.ascontiguousarray(vertices, np.float64)
        normals = vertex_normals(vertices, faces) if needs_normals else np.zeros_like(vertices)
        return Scene(vertices, normals, faces, surface)

    def render(number: int) -> None:
        scene, camera = scenes[number // len(rig)], cameras[number % len(rig)]
        raster = rasterize(scene.vertices, faces, camera, size)
        fill_channels(images[number], raster, scene, camera, channels, rig.distance(framing), framing.radius)
        if ids is not None:
            ids[number] = raster.triangle_ids

    workers = thread_count() if threads is None else max(1, threads)
    scenes = _map(prepare, frames, workers)
    _map(render, range(pictures), workers)
    return Views(images, bands, rig, framing, ids)


def thread_count() -> int:
    """Threads to render with: NUMBA_NUM_THREADS or OMP_NUM_THREADS if set, else the cores this process may use.

    Task schedulers set those variables to 1 in their workers, so nested rendering does not oversubscribe.
    """
    for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(variable, "")
        if value.isdecimal() and int(value) > 0:
            return int(value)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _map(work: Callable[[Any], Result], items: Sequence[Any] | np.ndarray, workers: int) -> list[Result]:
    """The results of all items, in order. A pool per call (0.1 ms) survives fork; a compiled thread team would not."""
    if workers == 1 or len(items) == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(work, items))


def _finite_frames(shape: Mesh | MeshSequence) -> Float[np.ndarray, "T V 3"]:
    if isinstance(shape, Mesh):
        return shape.vertices[None]
    bad = ~np.isfinite(shape.frames).all(axis=(1, 2))
    if bad.any():
        raise MeshError(f"frames must be finite; frame {int(np.argmax(bad))} is not")
    return shape.frames
