"""Coarse ICP: many starts at once, nearest points looked up in grids; the compiled heart of the pose search."""

from typing import no_type_check

import numpy as np

from mesh4d.compiled import compiled

SIGMA_FAR_MM, SIGMA_NEAR_MM, SCORE_MM = 45.0, 8.0, 14.0
"""How far a pair may lie apart and still count, early and late in a coarse ICP, and when its outcome is judged."""
GOAL_WEIGHT = 0.5
"""Say of a target sample beside a template sample: the target may hold shoulders and hair."""


@compiled()
@no_type_check
def coarse_icp(
    poses,
    iterations,
    source,
    source_normals,
    importance,
    goal,
    goal_normals,
    low_s,
    cell_s,
    grid_s,
    low_g,
    cell_g,
    grid_g,
):
    """Symmetric robust ICP of every start; point-to-point (Umeyama) steps. Returns poses and misfits.

    Template samples look up the target's grid, target samples the template's: either way alone would let the
    scale drift to where everything is near something.
    """
    out, misfits = poses.copy(), np.full(len(poses), 2.0)
    turn, sums = np.empty(9), np.empty(17)
    for p in range(len(poses)):
        scale = poses[p, 0]
        turn[:] = poses[p, 1:10]
        shift = poses[p, 10:13].copy()
        for iteration in range(iterations + 1):
            t = iteration / max(iterations, 1)
            sigma = SIGMA_FAR_MM * (1 - t) + SIGMA_NEAR_MM * t
            sums[:] = 0.0
            found, total = 0.0, 0.0
            for i in range(len(source)):
                u, v, w = source[i]
                x, y, z = _turned(turn, u, v, w)
                x, y, z = scale * x + shift[0], scale * y + shift[1], scale * z + shift[2]
                hit = _cell(grid_g, low_g, cell_g, x, y, z)
                nx, ny, nz = _turned(turn, source_normals[i, 0], source_normals[i, 1], source_normals[i, 2])
                agree = max(nx * hit[3] + ny * hit[4] + nz * hit[5], 0.0)
                d = ((x - hit[0]) ** 2 + (y - hit[1]) ** 2 + (z - hit[2]) ** 2) / (scale * scale)
                _add(
                    sums,
                    importance[i] * np.exp(-d / (2 * sigma * sigma)) * (0.1 + 0.9 * agree),
                    u,
                    v,
                    w,
                    hit[0],
                    hit[1],
                    hit[2],
                )
                found += importance[i] * np.exp(-d / (2 * SCORE_MM * SCORE_MM)) * agree
                total += importance[i]
            for i in range(len(goal)):
                x, y, z = (
                    (goal[i, 0] - shift[0]) / scale,
                    (goal[i, 1] - shift[1]) / scale,
                    (goal[i, 2] - shift[2]) / scale,
                )
                u, v, w = _turned_back(turn, x, y, z)
                hit = _cell(grid_s, low_s, cell_s, u, v, w)
                nx, ny, nz = _turned_back(turn, goal_normals[i, 0], goal_normals[i, 1], goal_normals[i, 2])
                agree = max(nx * hit[3] + ny * hit[4] + nz * hit[5], 0.0)
                d = (u - hit[0]) ** 2 + (v - hit[1]) ** 2 + (w - hit[2]) ** 2
                weight = GOAL_WEIGHT * np.exp(-d / (2 * sigma * sigma)) * (0.1 + 0.9 * agree)
                _add(sums, weight, hit[0], hit[1], hit[2], goal[i, 0], goal[i, 1], goal[i, 2])
            misfits[p] = 1 - found / total
            if iteration == iterations:
                break
            scale = _umeyama(sums, turn, shift)
            if not 0.4 * poses[p, 0] < scale < 2.5 * poses[p, 0]:
                misfits[p] = 2.0
                break
        out[p, 0], out[p, 1:10], out[p, 10:13] = scale, turn, shift
    return out, misfits


@compiled(inline="always")
@no_type_check
def _turned(r, x, y, z):
    return r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z


@compiled(inline="always")
@no_type_check
def _turned_back(r, x, y, z):
    return r[0] * x + r[3] * y + r[6] * z, r[1] * x + r[4] * y + r[7] * z, r[2] * x + r[5] * y + r[8] * z


@compiled()
@no_type_check
def _cell(grid, low, cell, x, y, z):
    """The grid's entry at a place; places outside get the nearest border cell."""
    last = len(grid) - 1
    a = min(max(int((x - low[0]) / cell), 0), last)
    b = min(max(int((y - low[1]) / cell), 0), last)
    c = min(max(int((z - low[2]) / cell), 0), last)
    return grid[a, b, c]


@compiled()
@no_type_check
def _add(sums, w, ax, ay, az, bx, by, bz):
    """Add one weighted pair to the moments: w, w a, w b, w |a|^2, w b a^T."""
    sums[0] += w
    sums[1] += w * ax
    sums[2] += w * ay
    sums[3] += w * az
    sums[4] += w * bx
    sums[5] += w * by
    sums[6] += w * bz
    sums[7] += w * (ax * ax + ay * ay + az * az)
    sums[8] += w * bx * ax
    sums[9] += w * bx * ay
    sums[10] += w * bx * az
    sums[11] += w * by * ax
    sums[12] += w * by * ay
    sums[13] += w * by * az
    sums[14] += w * bz * ax
    sums[15] += w * bz * ay
    sums[16] += w * bz * az


@compiled()
@no_type_check
def _umeyama(sums, turn, shift):
    """Rotation and translation (in place) and scale from the moments; -1 where they determine none."""
    total = sums[0]
    if not total > 1e-6:
        return -1.0
    a, b = sums[1:4] / total, sums[4:7] / total
    variance = sums[7] / total - (a[0] ** 2 + a[1] ** 2 + a[2] ** 2)
    if not variance > 1.0:
        return -1.0
    covariance = sums[8:17].copy().reshape(3, 3) / total - np.outer(b, a)
    u, s, vt = np.linalg.svd(covariance)
    sign = 1.0 if np.linalg.det(u) * np.linalg.det(vt) > 0 else -1.0
    u[:, 2] *= sign
    rotation = u @ vt
    scale = (s[0] + s[1] + sign * s[2]) / variance
    turn[:] = rotation.copy().reshape(9)
    shift[:] = b - scale * (rotation @ a)
    return scale
