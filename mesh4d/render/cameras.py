"""Cameras around a face: where they stand, what they frame, and how they project.

Convention: yaws and pitches are about the face's own axes (`Framing.rotation`). The camera frame has +x to the right of
the picture, +y up and +z towards the viewer, so the frontal camera's axes are the face frame's axes. Depth is the
distance in front of the camera along its axis (-z), positive. Pictures are square, row 0 on top, pixel centres at
(column + 0.5, row + 0.5).
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from mesh4d.errors import MeshError, SpecError
from mesh4d.geometry.normals import vertex_areas
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml

MARGIN = 1.04  # free space around the framed sphere, as a factor on its radius
NEAR_FRACTION = 1e-3  # near plane, as a fraction of the camera's distance from the centre
ROBUST_SHARE = 0.005  # share of the surface left out at each end when a framing is measured


@dataclass(frozen=True)
class Framing:
    """The sphere that a picture shows: its outline fills the picture but for a small margin."""

    centre: Float[np.ndarray, "3"]
    radius: float
    rotation: Float[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    """Rows: the face's +x (subject's left), +y (up) and +z (out) in the mesh's frame; the identity for a mesh that is
    in the face frame already."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.centre).all() and np.isfinite(self.radius) and self.radius > 0):
            raise MeshError(f"a framing needs a finite centre and a positive radius, found {self}")
        turn = self.rotation
        if not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) or np.linalg.det(turn) < 0:
            raise MeshError(f"a framing's rotation must be one, found {turn.tolist()}")


@dataclass(frozen=True)
class Camera:
    """A pinhole or orthographic camera; camera coordinates are rotation @ point + translation."""

    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    focal: float
    """Half-pictures per unit tangent (perspective) or per unit of length (orthographic)."""
    orthographic: bool = False
    near: float = 0.0
    """Triangles are cut where they come nearer than this, in the mesh's unit."""

    def to_camera(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """The points in the camera frame."""
        # Written out, not as a matrix product, so that the compiled kernel can repeat it bit for bit.
        x, y, z = points[:, 0], points[:, 1], points[:, 2]
        r, t = self.rotation, self.translation
        rows = [r[axis, 0] * x + r[axis, 1] * y + r[axis, 2] * z + t[axis] for axis in range(3)]
        return np.stack(rows, axis=1)

    def project(
        self, points: Float[np.ndarray, "P 3"], size: int
    ) -> tuple[Float[np.ndarray, "P 2"], Float[np.ndarray, " P"]]:
        """Picture positions (column, row) in pixels of a size x size picture, and depths.

        Positions of points behind a perspective camera are meaningless; their depth is not positive.
        """
        in_camera = self.to_camera(points)
        depth = -in_camera[:, 2]
        if self.orthographic:
            scale = np.full(len(points), self.focal)
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = self.focal / depth
        half = 0.5 * size
        with np.errstate(invalid="ignore"):
            column = half + half * (in_camera[:, 0] * scale)
            row = half - half * (in_camera[:, 1] * scale)
        return np.stack([column, row], axis=1), depth


@dataclass(frozen=True)
class CameraRig:
    """Cameras that look at the centre of a framing from one distance, one per (yaw, pitch).

    Convention: yaw > 0 moves the camera to the subject's left (+x), pitch > 0 raises it (+y).
    """

    name: str
    yaws_deg: tuple[float, ...]
    pitches_deg: tuple[float, ...]
    fov_deg: float | None = None
    """Full angle of view of a perspective rig; None is orthographic."""

    def __post_init__(self) -> None:
        if not self.yaws_deg or len(self.yaws_deg) != len(self.pitches_deg):
            raise SpecError(
                f"rig {self.name!r}: expected as many yaws as pitches and at least one, "
                f"found {len(self.yaws_deg)} and {len(self.pitches_deg)}"
            )
        if self.fov_deg is not None and not 0 < self.fov_deg < 170:
            raise SpecError(f"rig {self.name!r}: expected fov_deg between 0 and 170, found {self.fov_deg}")

    def __len__(self) -> int:
        return len(self.yaws_deg)

    @property
    def view_names(self) -> tuple[str, ...]:
        """A short label per view, such as 'yaw +25' or 'yaw 0, pitch -20'."""
        return tuple(
            f"yaw {_signed(yaw)}" + (f", pitch {_signed(pitch)}" if any(self.pitches_deg) else "")
            for yaw, pitch in zip(self.yaws_deg, self.pitches_deg, strict=True)
        )

    def distance(self, framing: Framing) -> float:
        """From each camera to the centre of the framing."""
        radius = MARGIN * framing.radius
        if self.fov_deg is None:
            return 4.0 * radius  # any distance shows the same picture; this one keeps depths positive
        return radius / float(np.sin(np.radians(self.fov_deg) / 2.0))

    def cameras(self, framing: Framing) -> tuple[Camera, ...]:
        """The rig's cameras placed around a framing."""
        distance = self.distance(framing)
        if self.fov_deg is None:
            focal, near = 1.0 / (MARGIN * framing.radius), -np.inf
        else:
            focal, near = 1.0 / float(np.tan(np.radians(self.fov_deg) / 2.0)), NEAR_FRACTION * distance
        cameras = []
        for yaw, pitch in zip(self.yaws_deg, self.pitches_deg, strict=True):
            rotation = _look_rotation(yaw, pitch) @ framing.rotation
            translation = -rotation @ framing.centre - np.array([0.0, 0.0, distance])
            cameras.append(Camera(rotation, translation, focal, self.fov_deg is None, near))
        return tuple(cameras)


def camera_rig(name: str) -> CameraRig:
    """The rig of that name in data_specs/views.toml.

    Raises:
        SpecError: when there is none; it lists those that exist.
    """
    rigs = load_toml("views")["rigs"]
    if name not in rigs:
        raise SpecError(f"data_specs/views.toml: expected a rig among {sorted(rigs)}, found {name!r}")
    entry = rigs[name]
    fov = entry.get("fov_deg")
    return CameraRig(
        name,
        tuple(float(yaw) for yaw in entry["yaws_deg"]),
        tuple(float(pitch) for pitch in entry["pitches_deg"]),
        None if fov is None else float(fov),
    )


def frame_of(shape: Mesh | Float[np.ndarray, "V 3"]) -> Framing:
    """A sphere around nearly all of a surface, not moved by stray points, vertex order or vertex density.

    The centre is the middle of the box that holds all but half a percent of the surface at each end of each axis;
    the radius reaches all but half a percent of it. For a mesh the surface is weighed by area, for bare vertices
    each counts the same. Use the neutral shape of a sequence, so that expressions do not move the camera.
    """
    if isinstance(shape, Mesh):
        vertices, weights = shape.vertices, vertex_areas(shape.vertices, shape.faces)
    else:
        vertices, weights = shape, np.ones(len(shape))
    if not weights.sum() > 0:
        raise MeshError("a framing needs a surface; this one has no area")
    low, high = np.array([_quantiles(vertices[:, axis], weights) for axis in range(3)]).T
    centre = 0.5 * (low + high)
    _, radius = _quantiles(np.linalg.norm(vertices - centre, axis=1), weights)
    return Framing(centre, float(radius))


def _quantiles(values: Float[np.ndarray, " V"], weights: Float[np.ndarray, " V"]) -> tuple[float, float]:
    """The values below which ROBUST_SHARE and 1 - ROBUST_SHARE of the weight lie."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array([ROBUST_SHARE, 1.0 - ROBUST_SHARE]) * reached[-1])
    low, high = values[order[np.minimum(places, len(values) - 1)]]
    return float(low), float(high)


def _look_rotation(yaw_deg: float, pitch_deg: float) -> Float[np.ndarray, "3 3"]:
    """Rows: the camera's right, up and towards-viewer axes in the face frame."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    back = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
    return np.stack([right, np.cross(back, right), back])


def _signed(angle_deg: float) -> str:
    return f"{angle_deg:+g}" if angle_deg else "0"
