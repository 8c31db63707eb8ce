"""Meshes and sequences seen by a rig of cameras."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float, Int

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.render.backends import Backend, backend_named
from mesh4d.render.cameras import CameraRig, Framing, camera_rig, frame_of
from mesh4d.render.channels import CHANNEL_BANDS, Scene, bands_of, fill_channels, scene_of, topology_of
from mesh4d.render.rasterize import MAX_SIZE, Fragments
from mesh4d.render.shading import STUDIO, Shading
from mesh4d.sequence import MeshSequence
from mesh4d.threads import at_once, thread_count

Result = TypeVar("Result")
MotionFrom = Literal["onset", "previous"]


@dataclass(frozen=True)
class Views:
    """Pictures of one mesh or sequence.

    Of a sequence of T frames seen by K cameras there are N = T * K pictures, all views of frame 0 first.
    """

    images: Float[np.ndarray, "N H W C"]
    """float32, row 0 on top; `render.channels` lists what each band holds."""
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


@dataclass(frozen=True)
class Picturing:
    """How pictures are taken, whatever is on them."""

    rig: CameraRig
    size: int = 224
    channels: tuple[str, ...] = ("depth", "normal", "shaded")
    shading: Shading = STUDIO
    motion_from: MotionFrom = "onset"
    backend: str = "numba"

    def __post_init__(self) -> None:
        bands_of(self.channels)
        if not 1 <= self.size <= MAX_SIZE:
            raise MeshError(f"size must be 1 to {MAX_SIZE} pixels, found {self.size}")
        if self.motion_from not in ("onset", "previous"):
            raise MeshError(f"motion_from must be 'onset' or 'previous', found {self.motion_from!r}")

    @property
    def bands(self) -> tuple[str, ...]:
        """Along the last axis of the pictures."""
        return bands_of(self.channels)


def render_views(
    shape: Mesh | MeshSequence,
    rig: str | CameraRig = "fer7",
    size: int = 224,
    channels: Iterable[str] = ("depth", "normal", "shaded"),
    framing: Framing | None = None,
    keep_triangle_ids: bool = False,
    threads: int | None = None,
    *,
    shading: Shading = STUDIO,
    onset: int = 0,
    motion_from: MotionFrom = "onset",
    backend: str = "numba",
) -> Views:
    """Render a mesh or every frame of a sequence from every camera of a rig.

    Convention: the mesh is in the face frame (+x the subject's left, +y up, +z out of the face), or `framing` says how
    the face lies in it.

    Args:
        shape: what to render. A whole sequence's pictures stay in memory: 4 bytes per pixel and band.
        rig: a rig, or the name of one in data_specs/views.toml.
        size: height and width in pixels.
        channels: any of those that `render.channels` lists.
        framing: the sphere to show and which way the face looks: `frame_of(vertices of the face)`, or
            `face_framing(landmarks)` for a head of any pose and unit. By default the whole mesh, measured once on a
            sequence's onset, so that the cameras stand still while the face moves.
        keep_triangle_ids: also return which triangle each pixel sees.
        threads: threads to use; by default `thread_count()`.
        shading: lights, and where colours come from.
        onset: the frame that motion starts from, and that the default framing is measured on.
        motion_from: whether the channel `motion` compares with the onset or with the frame before.
        backend: what finds the visible surface: numba, open3d, pyrender or pytorch3d.

    Raises:
        MeshError: unknown channels, a size out of range, a mesh without surface, frames that are not finite, a channel
            that the mesh has no data for, a backend that is not installed.
        SpecError: an unknown rig.
    """
    rig = camera_rig(rig) if isinstance(rig, str) else rig
    picturing = Picturing(rig, size, tuple(channels), shading, motion_from, backend)
    if isinstance(shape, Mesh) and "motion" in picturing.channels:
        raise MeshError("channel 'motion': expected a sequence, found a single mesh")
    frames = _finite_frames(shape)
    if not 0 <= onset < max(1, len(frames)):
        raise MeshError(f"onset must be a frame from 0 to {len(frames) - 1}, found {onset}")
    topology = shape.topology if isinstance(shape, MeshSequence) else shape
    if framing is None:
        framing = frame_of(topology.with_vertices(frames[onset]) if len(frames) else topology)
    shared = topology_of(topology, picturing.channels, shading)
    workers = thread_count() if threads is None else max(1, threads)

    def scene(number: int) -> Scene:
        reference = frames[onset if motion_from == "onset" else max(0, number - 1)]
        return scene_of(shared, frames[number], picturing.channels, reference, framing.rotation)

    scenes = at_once(scene, range(len(frames)), workers)
    images, ids = picture_scenes(scenes, picturing, framing, workers, keep_triangle_ids)
    return Views(images, picturing.bands, rig, framing, ids)


def picture_scenes(
    scenes: Sequence[Scene], picturing: Picturing, framing: Framing, workers: int, keep_triangle_ids: bool = False
) -> tuple[Float[np.ndarray, "N H W C"], Int[np.ndarray, "N H W"] | None]:
    """All views of prepared frames, frame by frame, and which triangles they see if that is asked for."""
    rig, size = picturing.rig, picturing.size
    backend: Backend = backend_named(picturing.backend)
    cameras, distance = rig.cameras(framing), rig.distance(framing)
    pictures = len(scenes) * len(rig)
    images = np.empty((pictures, size, size, len(picturing.bands)), np.float32)
    ids = np.full((pictures, size, size), -1, np.int32) if keep_triangle_ids else None
    workers = workers if backend.views_in_parallel else 1
    drawers = at_once(lambda scene: backend.prepare(scene.vertices, scene.topology.faces), scenes, workers)

    def see(number: int) -> Fragments:
        return drawers[number // len(rig)](cameras[number % len(rig)], size)

    def paint(number: int, seen: Fragments) -> None:
        scene, camera = scenes[number // len(rig)], cameras[number % len(rig)]
        fill_channels(images[number], seen, scene, camera, picturing.channels, distance, framing, picturing.shading)
        if ids is not None:
            ids[number].reshape(-1)[seen.pixels] = seen.triangles

    _in_two_steps(see, paint, np.arange(pictures).reshape(len(scenes), len(rig)).tolist(), workers)
    return images, ids


def _in_two_steps(
    first: Callable[[int], Result], second: Callable[[int, Result], None], groups: list[list[int]], workers: int
) -> None:
    """second(item, first(item)) for all items.

    In a group all first steps are queued before all second ones: half as long, so threads end nearly together. A
    first step's result lives until its second step, a group later at most.
    """
    if workers == 1:
        for item in (item for group in groups for item in group):
            second(item, first(item))
        return
    with ThreadPoolExecutor(workers) as pool:
        ends: list[Future[None]] = []
        for group in groups:
            begun = [pool.submit(first, item) for item in group]
            ends += [
                pool.submit(lambda item, start: second(item, start.result()), item, start)
                for item, start in zip(group, begun, strict=True)
            ]
        for end in ends:
            end.result()


def _finite_frames(shape: Mesh | MeshSequence) -> Float[np.ndarray, "T V 3"]:
    if isinstance(shape, Mesh):
        return shape.vertices[None]
    bad = ~np.isfinite(shape.frames).all(axis=(1, 2))
    if bad.any():
        raise MeshError(f"frames must be finite; frame {int(np.argmax(bad))} is not")
    return shape.frames
