"""Cutting of triangles that cross the near plane, or reach so far off the picture that integers would overflow.

A crossing point is computed from the end that is kept towards the end that is not, so that both triangles of an edge
get the same bits and no crack opens between them.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled

GUARD_PX = 65536.0
"""Triangles are cut this many pixels from the picture's middle: far enough that hardly any is."""
LEAST_NEAR = 1e-9
"""Near plane of a perspective camera that has none: at the camera itself there is no picture."""
MOST_CORNERS = 8  # of a triangle cut by five planes


@dataclass(frozen=True)
class Pieces:
    """What is left of triangles that were cut, as triangles with corners of their own."""

    positions: Int[np.ndarray, "P 3 2"]
    """Subpixels, int32."""
    keys: Float[np.ndarray, "P 3"]
    faces: Int[np.ndarray, " P"]
    """The triangle that each is a piece of."""
    weights: Float[np.ndarray, "P 3 3"]
    """Barycentric coordinates of each corner in that triangle."""

    def triangles(self) -> tuple[Int[np.ndarray, "Q 2"], Float[np.ndarray, " Q"], Int[np.ndarray, "P 3"]]:
        """Positions, keys and corner indices, as of a mesh."""
        corners = np.arange(3 * len(self.faces), dtype=np.int32).reshape(-1, 3)
        return self.positions.reshape(-1, 2), self.keys.reshape(-1), corners


NO_PIECES = Pieces(np.empty((0, 3, 2), np.int32), np.empty((0, 3)), np.empty(0, np.int32), np.empty((0, 3, 3)))


def near_depth(near: float, orthographic: bool) -> float:
    """The depth that triangles are cut at."""
    return near if orthographic else max(near, LEAST_NEAR)


def clip_triangles(
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
    positions: Int[np.ndarray, "V 2"],
    camera: Float[np.ndarray, "14"],
    orthographic: bool,
    size: float,
    subpixels: int,
) -> Pieces:
    """The visible parts of all triangles with a corner that was not projected.

    Args:
        vertices: in the mesh's frame.
        faces: int32.
        positions: of the vertices; those that lie outside are marked by the least int32.
        camera: rotation, translation, focal length and near plane in one row.
        orthographic: its rays are parallel.
        size: of the picture, pixels.
        subpixels: positions per pixel.
    """
    return Pieces(*_clip(vertices, faces, positions, camera, orthographic, size, subpixels))


@compiled(inline="always")
@no_type_check
def _distance(corner, plane, focal, near, guard, orthographic):
    """Signed distance to a clip plane, positive inside; corner is (right, up, depth, ...)."""
    if plane == 0:
        return corner[2] - near
    reach = guard if orthographic else guard * corner[2]
    side = focal * (corner[0] if plane < 3 else corner[1])
    return reach - side if plane % 2 else reach + side


@compiled(inline="always")
@no_type_check
def _first_corner(vertices, corners):
    """The corner with the least coordinates, so that what is cut does not depend on which comes first in the file."""
    first = 0
    for n in range(1, 3):
        for axis in range(3):
            here, least = vertices[corners[n], axis], vertices[corners[first], axis]
            if here != least:
                first = n if here < least else first
                break
    return first


@compiled()
@no_type_check
def _clip(vertices, faces, positions, camera, orthographic, size, subpixels):
    outside = -(1 << 31)
    count = 0
    for f in range(faces.shape[0]):
        for n in range(3):
            if positions[faces[f, n], 0] == outside:
                count += 1
                break
    room = count * (MOST_CORNERS - 2)
    out_positions, out_keys = np.empty((room, 3, 2), np.int32), np.empty((room, 3))
    out_faces, out_weights = np.empty(room, np.int32), np.empty((room, 3, 3))
    polygon, kept = np.zeros((MOST_CORNERS + 2, 6)), np.zeros((MOST_CORNERS + 2, 6))
    half = 0.5 * size
    focal, near = camera[12], camera[13]
    guard = GUARD_PX / half
    made = 0
    for f in range(faces.shape[0]):
        crosses = False
        for n in range(3):
            crosses |= positions[faces[f, n], 0] == outside
        if not crosses:
            continue
        corners, first, finite = 3, _first_corner(vertices, faces[f]), True
        for n in range(3):
            corner = (first + n) % 3
            v = faces[f, corner]
            x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
            polygon[n, 0] = camera[0] * x + camera[1] * y + camera[2] * z + camera[9]
            polygon[n, 1] = camera[3] * x + camera[4] * y + camera[5] * z + camera[10]
            polygon[n, 2] = -(camera[6] * x + camera[7] * y + camera[8] * z + camera[11])
            for m in range(3):
                finite &= np.isfinite(polygon[n, m])
                polygon[n, 3 + m] = 1.0 if m == corner else 0.0
        if not finite:
            continue
        for plane in range(5):
            total = 0
            for n in range(corners):
                here, following = polygon[n], polygon[(n + 1) % corners]
                d = _distance(here, plane, focal, near, guard, orthographic)
                e = _distance(following, plane, focal, near, guard, orthographic)
                if d >= 0:
                    kept[total] = here
                    total += 1
                if (d >= 0) != (e >= 0):
                    start, end, share = here, following, d / (d - e)
                    if d < 0:
                        start, end, share = following, here, e / (e - d)
                    for m in range(6):
                        kept[total, m] = start[m] + share * (end[m] - start[m])
                    if plane == 0:
                        kept[total, 2] = near
                    total += 1
            polygon, kept, corners = kept, polygon, total
            if corners < 3:
                break
        for n in range(1, corners - 1):
            ok = True
            for m in range(3):
                place = polygon[0 if m == 0 else n + m - 1]
                scale = focal if orthographic else focal / place[2]
                column = np.floor((half + half * (place[0] * scale)) * subpixels + 0.5)
                row = np.floor((half - half * (place[1] * scale)) * subpixels + 0.5)
                ok &= abs(column) < 2.0**29 and abs(row) < 2.0**29
                if ok:
                    out_positions[made, m, 0], out_positions[made, m, 1] = np.int32(column), np.int32(row)
                    out_keys[made, m] = place[2] if orthographic else -1.0 / place[2]
                    out_weights[made, m] = place[3:6]
            if ok:
                out_faces[made] = f
                made += 1
    return out_positions[:made].copy(), out_keys[:made].copy(), out_faces[:made].copy(), out_weights[:made].copy()
