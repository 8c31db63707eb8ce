"""Pictures of a surface as the landmark networks see it: depth and normals alone, so colour cannot matter.

| band | value | background |
| --- | --- | --- |
| 0 | depth behind the window's centre over the window's half side, limited to -1.5 to 1.5 | 1.5 |
| 1 to 3 | normal in the camera's frame, turned to the viewer | 0 |
| 4 | 1 where there is surface | 0 |

Cameras are orthographic. Pictures are drawn at twice their size and averaged, which tames noise and thin features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.geometry.normals import vertex_normals
from mesh4d.mesh import Mesh
from mesh4d.render.cameras import Camera
from mesh4d.render.rasterize import rasterize
from mesh4d.threads import at_once, thread_count

DEPTH_LIMIT = 1.5
OVERSAMPLING = 2
SOUP_RATIO = 2.0
"""Vertices per triangle from which a mesh is taken for loose triangles (a closed surface has 0.5)."""


@dataclass(frozen=True)
class Surface:
    """A triangulated surface ready to be drawn from many sides."""

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    normals: Float[np.ndarray, "V 3"]


@dataclass(frozen=True)
class Window:
    """An orthographic view: a square of space and the side it is seen from.

    Convention: rows of `rotation` are the picture's right, up and towards-viewer axes in the surface's frame.
    """

    rotation: Float[np.ndarray, "3 3"]
    centre: Float[np.ndarray, "3"]
    half: float
    """Half the side of the square, in the surface's unit."""

    def camera(self) -> Camera:
        """The camera; depth 0 is at the window's centre."""
        return Camera(self.rotation, -self.rotation @ self.centre, 1.0 / self.half, orthographic=True, near=-np.inf)

    def to_picture(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Column and row (0 to 1 from the picture's upper left corner) and depth behind the centre in half sides."""
        x, y, z = self.rotation @ (points - self.centre).T / self.half
        return np.stack([0.5 + 0.5 * x, 0.5 - 0.5 * y, -z], axis=1)

    def rays(self, places: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P 3"]:
        """Where the viewing rays through picture places (0 to 1) meet the plane through the window's centre."""
        x, y = self.half * (2.0 * places[:, 0] - 1.0), self.half * (1.0 - 2.0 * places[:, 1])
        return self.centre + x[:, None] * self.rotation[0] + y[:, None] * self.rotation[1]


def surface_of(mesh: Mesh) -> Surface:
    """The mesh's surface with smooth normals; loose triangles share the normal of the places they meet at."""
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    return Surface(mesh.vertices, faces, smooth_normals(mesh.vertices, faces))


def smooth_normals(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> Float[np.ndarray, "V 3"]:
    """Vertex normals that do not show how the vertices are shared."""
    if len(vertices) < SOUP_RATIO * len(faces):
        return vertex_normals(vertices, faces)
    places, place_of_vertex = np.unique(vertices, axis=0, return_inverse=True)
    return vertex_normals(places, place_of_vertex.reshape(-1)[faces])[place_of_vertex.reshape(-1)]


def picture(surface: Surface, window: Window, size: int) -> Float[np.ndarray, "C H W"]:
    """One picture, float32, bands first."""
    raster = rasterize(surface.vertices, surface.faces, window.camera(), OVERSAMPLING * size)
    return _average(
        raster.depth,
        raster.triangle_ids,
        raster.barycentric,
        surface.vertices,
        surface.faces,
        surface.normals,
        np.ascontiguousarray(window.rotation),
        1.0 / window.half,
        size,
    )


def pictures_of(surface: Surface, windows: Sequence[Window], size: int) -> Float[np.ndarray, "N C H W"]:
    """One picture per window, drawn on as many threads as rendering may use."""
    return np.stack(at_once(lambda window: picture(surface, window, size), windows, thread_count()))


def mirrored(pictures: Float[np.ndarray, "N C H W"]) -> Float[np.ndarray, "N C H W"]:
    """The pictures of the mirrored surface."""
    flipped = pictures[..., ::-1].copy()
    flipped[:, 1] *= -1.0
    return flipped


def quarter_turned(pictures: Float[np.ndarray, "N C H W"], turns: int) -> Float[np.ndarray, "N C H W"]:
    """The pictures of a camera rolled by `turns` quarter turns; what was at the right comes to the top."""
    turned = np.rot90(pictures, turns, axes=(2, 3)).copy()
    x, y = turned[:, 1].copy(), turned[:, 2].copy()
    for _ in range(turns % 4):
        x, y = -y, x
    turned[:, 1], turned[:, 2] = x, y
    return turned


@compiled()
@no_type_check
def _average(depth, ids, barycentric, vertices, faces, normals, rotation, scale, size):
    """Mean over the covered sub-pixels of each pixel."""
    out = np.zeros((5, size, size), np.float32)
    step = ids.shape[0] // size
    n, g = np.empty(3), np.empty(3)
    for row in range(size):
        for column in range(size):
            covered, near, nx, ny, nz = 0, 0.0, 0.0, 0.0, 0.0
            for sub in range(step * step):
                r, c = row * step + sub // step, column * step + sub % step
                t = ids[r, c]
                if t < 0:
                    continue
                i, j, k = faces[t, 0], faces[t, 1], faces[t, 2]
                for a in range(3):
                    b = (a + 1) % 3
                    d = (a + 2) % 3
                    g[a] = (vertices[j, b] - vertices[i, b]) * (vertices[k, d] - vertices[i, d]) - (
                        vertices[j, d] - vertices[i, d]
                    ) * (vertices[k, b] - vertices[i, b])
                    n[a] = (
                        barycentric[r, c, 0] * normals[i, a]
                        + barycentric[r, c, 1] * normals[j, a]
                        + barycentric[r, c, 2] * normals[k, a]
                    )
                flat = np.sqrt(g[0] * g[0] + g[1] * g[1] + g[2] * g[2])
                length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
                if flat == 0.0:
                    continue
                if length < 0.2:  # triangles around a corner disagree on which side is out
                    n[0], n[1], n[2] = g[0], g[1], g[2]
                    length = flat
                facing = rotation[2, 0] * g[0] + rotation[2, 1] * g[1] + rotation[2, 2] * g[2]
                along = n[0] * g[0] + n[1] * g[1] + n[2] * g[2]
                # The smooth normal sides with its triangle, the triangle with the viewer.
                sign = (1.0 if facing >= 0 else -1.0) * (1.0 if along >= 0 else -1.0) / length
                covered += 1
                near += min(max(depth[r, c] * scale, -DEPTH_LIMIT), DEPTH_LIMIT)
                nx += sign * (rotation[0, 0] * n[0] + rotation[0, 1] * n[1] + rotation[0, 2] * n[2])
                ny += sign * (rotation[1, 0] * n[0] + rotation[1, 1] * n[1] + rotation[1, 2] * n[2])
                nz += sign * (rotation[2, 0] * n[0] + rotation[2, 1] * n[1] + rotation[2, 2] * n[2])
            if covered == 0:
                out[0, row, column] = DEPTH_LIMIT
                continue
            out[0, row, column] = near / covered
            out[1, row, column], out[2, row, column], out[3, row, column] = nx / covered, ny / covered, nz / covered
            out[4, row, column] = covered / (step * step)
    return out
