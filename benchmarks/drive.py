"""Driving and solving: a pose of a dense head beside the dense numpy product, and unit weights found again.

The head is the embedded one, subdivided to about 26,700 vertices, with 32 units and all pairs. The baseline is
`weights @ deltas` in float32 with all 32 rows, which gives displacements; `drive` gives a checked Mesh in float64 with
pairs and eyeballs. Every row is timed twice: with the shapes still in the processor's caches, and after other work has
driven them out, as in a program that renders between poses. The bound is the bytes that a row must touch, divided by
the speed at which the machine copies.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import trimesh

from aublend import AU_NAMES, AURig, head_model
from aublend.curves import half_weights
from mesh4d import Mesh
from mesh4d.sequence import MeshSequence

VERTICES = 26_719
NEW_PER_TRIANGLE = 1.63
"""Vertices that cutting a triangle in four adds, where most of its neighbours are cut too."""
REPEATS = 300
SEED = 470
NOISES_MM = (0.0, 0.3)
FRAMES = 100
OTHER_WORK = np.zeros(48 << 20, np.uint8)
"""More than the last cache holds."""


def dense_rig(vertices: int = VERTICES) -> AURig:
    """The embedded head, each triangle cut in four, and the first ones once more until it has enough vertices."""
    rig = head_model().rig(SEED)
    shapes = np.concatenate([rig.deltas, rig.correctives])
    points, faces = rig.neutral.vertices, rig.neutral.faces
    columns = shapes.transpose(1, 0, 2).reshape(len(points), -1)
    points, faces, columns = subdivided(points, faces, columns, len(faces))
    points, faces, columns = subdivided(points, faces, columns, int((vertices - len(points)) / NEW_PER_TRIANGLE))
    shapes = columns.reshape(len(points), len(shapes), 3).transpose(1, 0, 2).astype(np.float32)
    return AURig(
        neutral=Mesh(points, faces),
        deltas=np.ascontiguousarray(shapes[: len(AU_NAMES)]),
        au_names=AU_NAMES,
        mid_plane=rig.mid_plane,
        rigid_parts=rig.rigid_parts,
        pairs=rig.pairs,
        pair_deltas=np.ascontiguousarray(shapes[len(AU_NAMES) :]),
    )


def subdivided(points: np.ndarray, faces: np.ndarray, columns: np.ndarray, first: int) -> tuple[np.ndarray, ...]:
    """The first triangles cut in four, with the vertices' values."""
    cut: Any = trimesh.remesh.subdivide(
        points, faces, face_index=np.arange(first), vertex_attributes={"values": columns}
    )
    return cut[0], cut[1], cut[2]["values"]


def fastest(work: Callable[[], object], *, cold: bool = False) -> float:
    """Seconds of the fastest of many runs."""
    work()
    times = []
    for _ in range(REPEATS // 5 if cold else REPEATS):
        if cold:
            OTHER_WORK[:] += 1
        times.append(seconds_of(work))
    return min(times)


def copy_speed(size: int) -> float:
    """Bytes read and written per second by a copy of so many bytes."""
    source = np.ones(size, np.uint8)
    target = np.empty_like(source)
    return 2 * size / fastest(lambda: np.copyto(target, source))


def driving() -> None:
    """Print the table of poses."""
    rig = dense_rig()
    rng = np.random.default_rng(0)
    every = {name: float(weight) for name, weight in zip(AU_NAMES, rng.random(len(AU_NAMES)), strict=True)}
    four = {"AU1": 0.5, "AU6": 0.7, "AU12": 0.8, "AU25": 0.4}
    flat = rig.deltas.reshape(len(AU_NAMES), -1)
    weights = np.array(list(every.values()), np.float32)
    neutral = rig.neutral.vertices
    with_pairs = np.concatenate([flat, rig.correctives.reshape(len(rig.pairs), -1)])
    factors = np.concatenate([weights, weights[rig.pair_units].prod(axis=1)])
    sided = {f"{name}{side}": weight for name, weight in four.items() for side in "LR"} | {"AU12R": 0.1}
    output = 2 * neutral.nbytes
    rows: dict[str, tuple[Callable[[], object], int]] = {
        "numpy: weights @ deltas, 32 rows": (lambda: weights @ flat, flat.nbytes + flat.nbytes // 32),
        "numpy: the same + neutral": (lambda: neutral + (weights @ flat).reshape(-1, 3), flat.nbytes + output),
        "numpy: with the pairs + neutral": (
            lambda: neutral + (factors @ with_pairs).reshape(-1, 3),
            with_pairs.nbytes + output,
        ),
        "drive, 32 units and their pairs": (lambda: rig.drive(every), rig.bytes_read(half_weights(every)) + output),
        "drive, 4 units": (lambda: rig.drive(four), rig.bytes_read(half_weights(four)) + output),
        "drive, 4 units, halves differ": (lambda: rig.drive(sided), rig.bytes_read(half_weights(sided)) + output),
    }
    warm_speed, cold_speed = copy_speed(4 << 20), copy_speed(256 << 20)
    print(f"\n### driving {rig.neutral.n_vertices} vertices")
    print(f"\nCopying: {warm_speed / 1e9:.0f} GB/s in cache, {cold_speed / 1e9:.0f} GB/s beyond (read and written).\n")
    print("| what | us in cache | numpy / this | bound | us after other work | numpy / this | bound | MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    base: tuple[float, float] | None = None
    for name, (work, size) in rows.items():
        warm, cold = fastest(work), fastest(work, cold=True)
        base = base or (warm, cold)
        cells = [name]
        for seconds, first, speed in ((warm, base[0], warm_speed), (cold, base[1], cold_speed)):
            cells += [f"{1e6 * seconds:.0f}", f"{first / seconds:.1f}", f"{1e6 * size / speed:.0f}"]
        print(f"| {' | '.join(cells)} | {size / 1e6:.1f} |")
    dense = neutral + (factors.astype(np.float64) @ with_pairs.astype(np.float64)).reshape(-1, 3)
    soft = np.setdiff1d(np.arange(len(neutral)), np.concatenate([part.vertex_ids for part in rig.rigid_parts]))
    apart = np.abs(rig.drive(every).vertices - dense)[soft].max()
    print(f"\nLargest difference to the product in float64: {apart:.1e} mm.")
    frames = np.linspace(0, 1, FRAMES)[:, None, None] * half_weights(every)
    seconds = min(seconds_of(lambda: rig.poses(frames)) for _ in range(5))
    print(f"animate, 32 units: {1e6 * seconds / FRAMES:.0f} us a frame.")


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def truths(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights to find again, frames x halves x units."""
    units = len(AU_NAMES)
    some = rng.random((FRAMES, 1, units)) < 0.2
    one_piece = np.array([name[-1] in "LR" for name in AU_NAMES])
    apart = rng.random((FRAMES, 2, units))
    apart[:, 1, one_piece] = apart[:, 0, one_piece]
    alike = np.repeat(rng.random((FRAMES, 1, units)), 2, axis=1)
    single = np.concatenate([np.eye(units) * size for size in (0.3, 0.6, 1.0)])
    phase = np.linspace(0, 1, FRAMES)[:, None] * rng.uniform(0.5, 2, units) + rng.random(units)
    course = np.clip(np.sin(2 * np.pi * phase), 0, 1) * (rng.random(units) < 0.4)
    return {
        "each unit alone at 0.3, 0.6, 1": np.repeat(single[:, None], 2, axis=1),
        "random sets of 20 %": alike * some,
        "random sets of 20 %, halves apart": apart * some,
        "all 32 at random": alike,
        "all 32 at random, halves apart": apart,
        "smooth curves of 40 %": np.repeat(course[:, None], 2, axis=1),
    }


def solving() -> None:
    """Print the table of solved weights."""
    rig = head_model().rig(SEED)
    rng = np.random.default_rng(3)
    rig.solve(rig.neutral)
    print(f"\n### solving, {rig.neutral.n_vertices} vertices, {FRAMES} frames, pairs active\n")
    print("| truth | noise mm | mean error | worst | worst units | frames/s |\n| --- | --- | --- | --- | --- | --- |")
    for name, truth in truths(rng).items():
        for noise in NOISES_MM:
            clean = rig.poses(truth)
            observed = MeshSequence(rig.neutral, clean + rng.normal(0, 1, clean.shape) * noise, 25.0)
            speed = len(truth) / min(seconds_of(lambda observed=observed: rig.solve(observed)) for _ in range(3))
            solved = rig.solve(observed)
            error = np.abs(solved.halves() - truth)
            mean = error.mean(axis=(0, 1))
            worst = ", ".join(f"{AU_NAMES[unit]} {mean[unit]:.3f}" for unit in np.argsort(-mean)[:3])
            print(f"| {name} | {noise} | {error.mean():.4f} | {error.max():.2f} | {worst} | {speed:.0f} |")


def main() -> None:
    """Print both tables."""
    driving()
    solving()


if __name__ == "__main__":
    main()
