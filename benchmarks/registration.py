"""Registration: ours beside trimesh's non-rigid ICP (Amberg) on the same pair in one run, then over kinds of targets.

Targets are heads of our generator led out of its span by smooth random warps, so that the statistics cannot reach
them exactly; the template's true place on each is known. Errors are over the face, in mm: `surface` is the median
distance of the fitted template to the target, `dense` and `68` the mean distance of its vertices and of the 68
landmarks to where they belong. Times are of the processor, so that other work on the machine does not count.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from aublend.curves import neutral_apex_neutral
from aublend.head_model import head_model
from aublend.registration import prior_template, with_landmarks68
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.errors import NoFaceError
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Mesh
from mesh4d.registration import register, register_sequence
from mesh4d.registration.closest import triangle_tree
from mesh4d.sequence import MeshSequence

SEEDS = (450, 451, 452)
WARP_MM, WARP_LENGTH_MM = 5.0, 55.0


@dataclass(frozen=True)
class Pair:
    """A target and where the template's vertices belong on it."""

    target: Mesh
    truth: np.ndarray
    """In the target's coordinates."""
    unit: float
    """Target units per millimetre."""


def warped(vertices: np.ndarray, seed: int) -> np.ndarray:
    """A smooth random warp and a stretch along each axis."""
    rng = np.random.default_rng(seed)
    centres, pull = rng.uniform([-90, -130, -120], [90, 120, 60], (60, 3)), rng.normal(size=(60, 3))
    field = np.exp(-((vertices[:, None] - centres) ** 2).sum(axis=2) / (2 * WARP_LENGTH_MM**2)) @ pull
    stretch = 1 + rng.uniform(-0.08, 0.08, 3)
    return (vertices + field / field.std(axis=0) * WARP_MM / 3**0.5) * stretch


def skin(vertices: np.ndarray, parts: tuple[str, ...] = ("skin", "lips", "eyes", "iris", "pupil")) -> Mesh:
    """Some parts of a head with four triangles for each."""
    head = head_model().topology
    part = np.array(head.part_names)[head.part_of_face]
    fine, faces = trimesh.remesh.subdivide(vertices, head.faces[np.isin(part, parts)])
    used, faces = np.unique(np.asarray(faces), return_inverse=True)
    return Mesh(np.asarray(fine)[used], faces.reshape(-1, 3))


def shown(seed: int, units: dict[str, float]) -> np.ndarray:
    """A warped head under action units."""
    return warped(head_model().rig(seed).drive(units).vertices, seed)


def moved(pair: Pair, unit: float, seed: int) -> Pair:
    """The pair in another pose and unit."""
    move = Similarity(unit, Rotation.random(random_state=seed).as_matrix(), np.array([4.0, -2.0, 7.0]) * unit * 100)
    return Pair(pair.target.with_vertices(move.apply(pair.target.vertices)), move.apply(pair.truth), unit)


def clean(seed: int) -> Pair:
    """Skin and eyes, in place."""
    truth = warped(head_model().identity(seed).vertices, seed)
    return Pair(skin(truth), truth, 1.0)


def shuffled(seed: int) -> Pair:
    """Vertices and faces in another order."""
    pair, rng = clean(seed), np.random.default_rng(seed)
    order = rng.permutation(pair.target.n_vertices)
    faces = np.argsort(order)[rng.permutation(pair.target.faces)]
    return Pair(Mesh(pair.target.vertices[order], faces), pair.truth, 1.0)


def decimated(seed: int) -> Pair:
    """A fifth of the triangles, by quadrics."""
    pair = clean(seed)
    small = pair.target.to_trimesh().simplify_quadric_decimation(percent=0.8)
    return Pair(Mesh(np.asarray(small.vertices), np.asarray(small.faces)), pair.truth, 1.0)


def dense(seed: int) -> Pair:
    """Sixteen times as many triangles."""
    pair = clean(seed)
    vertices, faces = pair.target.vertices, pair.target.faces
    vertices, faces = trimesh.remesh.subdivide(vertices, faces)
    return Pair(Mesh(np.asarray(vertices), np.asarray(faces)), pair.truth, 1.0)


def noisy(seed: int) -> Pair:
    """Noise of 0.3 mm on every coordinate."""
    pair, rng = clean(seed), np.random.default_rng(seed)
    return Pair(
        pair.target.with_vertices(pair.target.vertices + 0.3 * rng.normal(size=pair.target.vertices.shape)),
        pair.truth,
        1.0,
    )


def scan(seed: int, units: dict[str, float] | None = None) -> Pair:
    """A frontal range scan with holes, spikes and ragged hair."""
    truth = shown(seed, units or {})
    mesh = head_model().topology.with_vertices(truth)
    return Pair(simulate_scan(mesh, ScanStyle(), np.random.default_rng(seed)).to_mesh(), truth, 1.0)


def bust(seed: int) -> Pair:
    """With shoulders."""
    pair = clean(seed)
    shoulders = trimesh.creation.icosphere(4).apply_scale([200, 80, 95]).apply_translation([0, -245, -85])
    faces = np.concatenate([pair.target.faces, np.asarray(shoulders.faces) + pair.target.n_vertices])
    return Pair(Mesh(np.concatenate([pair.target.vertices, np.asarray(shoulders.vertices)]), faces), pair.truth, 1.0)


def expressive(units: dict[str, float]) -> Callable[[int], Pair]:
    """Skin and eyes under action units."""

    def pair(seed: int) -> Pair:
        truth = shown(seed, units)
        return Pair(skin(truth), truth, 1.0)

    return pair


KINDS: dict[str, Callable[[int], Pair]] = {
    "clean head, skin and eyes": clean,
    "turned, metres": lambda seed: moved(clean(seed), 0.001, seed),
    "turned, inches": lambda seed: moved(clean(seed), 1 / 25.4, seed + 1),
    "vertices and faces shuffled": shuffled,
    "a fifth of the triangles": decimated,
    "16 times the triangles": dense,
    "noise 0.3 mm": noisy,
    "with shoulders": bust,
    "frontal scan, holes, spikes": scan,
    "frontal scan, mouth open": lambda seed: scan(seed, {"AU27": 0.6}),
    "smile": expressive({"AU12": 0.8, "AU6": 0.5}),
    "eyes shut": expressive({"AU45": 1.0}),
}


def errors(pair: Pair, fitted: np.ndarray) -> tuple[float, float, float]:
    """Surface, dense and 68-point errors, mm."""
    face = prior_template().face
    tree = triangle_tree(pair.target.vertices, pair.target.faces)
    surface = np.median(np.abs(tree.query(fitted[face]).signed_distance))
    apart = np.linalg.norm(fitted - pair.truth, axis=1)[face].mean()
    topology = head_model().topology
    marks = [with_landmarks68(topology.with_vertices(v)).landmarks for v in (fitted, pair.truth)]
    points = [mark.points for mark in marks if mark is not None]
    far = np.linalg.norm(points[0] - points[1], axis=1).mean()
    return float(surface) / pair.unit, float(apart) / pair.unit, float(far) / pair.unit


def amberg(pair: Pair) -> tuple[float, tuple[float, float, float]]:
    """trimesh's nricp_amberg, given what it needs: true landmarks for the pose, and the template's skin."""
    template = prior_template().mesh
    part = np.array(template.part_names)[template.part_of_face]
    used, faces = np.unique(template.faces[np.isin(part, ("skin", "lips"))], return_inverse=True)
    source = trimesh.Trimesh(template.vertices[used], faces.reshape(-1, 3), process=False)
    ids = np.flatnonzero(prior_template().face[used])[::60]
    start = time.process_time()
    fitted = trimesh.registration.nricp_amberg(
        source, pair.target.to_trimesh(), source_landmarks=ids, target_positions=pair.truth[used][ids]
    )
    seconds = time.process_time() - start
    vertices = prior_template().vertices.copy()
    vertices[used] = fitted
    return seconds, errors(pair, vertices)


def ours(pair: Pair) -> tuple[float, tuple[float, float, float]]:
    """register without any landmark."""
    start = time.process_time()
    fitted = register(prior_template(), pair.target).fitted.vertices
    return time.process_time() - start, errors(pair, fitted)


def sequences() -> None:
    """Seconds a frame for a performance in its own topology, and as scans whose vertices are shuffled in each frame."""
    rig = head_model().rig(SEEDS[-1])
    acted = rig.animate(neutral_apex_neutral({"AU12": 0.8, "AU26": 0.6, "AU4": 0.5}, fps=12.0))
    meshes = [skin(vertices, ("skin", "lips")) for vertices in acted.frames]
    rng = np.random.default_rng(0)
    scans = []
    for mesh in meshes:
        order = rng.permutation(mesh.n_vertices)
        noisy_vertices = mesh.vertices[order] + rng.normal(0, 0.05, mesh.vertices.shape)
        scans.append(Mesh(noisy_vertices, np.argsort(order)[mesh.faces]))
    tracked = MeshSequence(meshes[0], np.stack([mesh.vertices for mesh in meshes]), 12.0)
    print(f"\n### {len(scans)} frames of {meshes[0].n_vertices} vertices\n")
    print("| what | wall s a frame | residual mm | jitter mm |\n| --- | --- | --- | --- |")
    for name, frames in (("one topology", tracked), ("shuffled in every frame, noise 0.05 mm", scans)):
        start = time.perf_counter()
        found = register_sequence(prior_template(), frames, fps=12.0)
        seconds = (time.perf_counter() - start) / len(scans)
        print(f"| {name} | {seconds:.2f} | {np.mean(found.residual_mm):.3f} | {found.jitter_mm:.3f} |")


def row(name: str, results: list[tuple[float, tuple[float, float, float]]]) -> str:
    """Best time and mean errors."""
    seconds, mean = min(result[0] for result in results), np.mean([result[1] for result in results], axis=0)
    return f"| {name} | {seconds:.1f} | {mean[0]:.2f} | {mean[1]:.2f} | {mean[2]:.2f} |"


def main() -> None:
    """Print both tables."""
    ours(clean(SEEDS[0]))  # compiles, and builds the template
    head = "| what | CPU s | surface | dense | 68 |\n| --- | --- | --- | --- | --- |"
    pair = clean(SEEDS[0])
    print(f"\n### One head, {pair.target.n_vertices} vertices\n\n{head}")
    print(row("mesh4d.register, no landmarks", [ours(pair)]))
    print(row("trimesh nricp_amberg, given the pose and true landmarks", [amberg(pair)]))
    print(f"\n### Kinds of targets, mean of {len(SEEDS)} heads each\n\n{head}")
    for name, kind in KINDS.items():
        results = []
        for seed in SEEDS:
            try:
                results.append(ours(kind(seed)))
            except NoFaceError as error:
                print(f"| {name} | refused: {error} | | | |")
        if results:
            print(row(name, results), flush=True)
    sequences()


if __name__ == "__main__":
    main()
