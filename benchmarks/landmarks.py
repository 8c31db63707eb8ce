"""Landmark errors on heads of unseen identities in topologies that were never trained on, and the time per head.

    python -m benchmarks.landmarks [--heads 10] [--pictures FOLDER]

Errors are distances to the labels, in percent of the distance of the outer eye corners. Every head has an expression
and is turned to a random one of the 24 axis conventions, then by up to 60 degrees of yaw and 30 of pitch, scaled and
moved; its vertices are shuffled. `bent` heads are deformed smoothly to proportions that the generator never draws.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
import tyro
from scipy.spatial.transform import Rotation

from aublend.head_model import HeadModel, head_model
from aublend.landmark_training.companions import Piece, hair_cap, joined, long_hair, torso
from aublend.landmark_training.labels import landmark_places
from aublend.landmark_training.scenes import clustered
from aublend.landmark_training.shapes import random_bend, random_expression
from benchmarks.landmark_pictures import draw
from mesh4d.datasets.scan import ScanStyle, simulate_scan
from mesh4d.errors import NoFaceError
from mesh4d.landmarks import interocular_distance, landmark_regions, read_face
from mesh4d.landmarks.windows import view_rotation
from mesh4d.mesh import Mesh
from mesh4d.specs import load_split

Change = Callable[[Piece, HeadModel, np.ndarray, np.random.Generator], Piece]


def plain(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """The head's own mesh."""
    return head


def skin_only(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Without eyeballs, teeth, tongue, lashes and mouth cavity."""
    mesh = model.topology
    names = np.array(mesh.part_names)[mesh.part_of_face if mesh.part_of_face is not None else []]
    return Piece(head.vertices, head.faces[np.isin(names, ["skin", "lips"])])


def subdivided(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Twice refined by Loop's scheme: 150,000 triangles."""
    skin = skin_only(head, model, points, rng)
    used, faces = np.unique(skin.faces, return_inverse=True)
    return Piece(*trimesh.remesh.subdivide_loop(skin.vertices[used], faces.reshape(-1, 3), iterations=2))


def decimated(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Quadric decimation to 2,000 vertices."""
    skin = skin_only(head, model, points, rng)
    return _filtered(skin, "meshing_decimation_quadric_edge_collapse", targetfacenum=4000)


def remeshed(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Isotropic triangles of 2.5 mm."""
    return _filtered(
        skin_only(head, model, points, rng), "meshing_isotropic_explicit_remeshing", targetlen=_length(2.5)
    )


def voxels(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Resampled on a grid of 2 mm, as a closed surface."""
    return _filtered(head, "generate_resampled_uniform_mesh", cellsize=_length(2.0), mergeclosevert=True)


def coarse_grid(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Vertices clustered in cells of 5 mm."""
    return clustered(skin_only(head, model, points, rng), 5.0)


def scanned(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """A range scan from the front: noise, holes, spikes, ragged edge."""
    style = ScanStyle(step_mm=rng.uniform(0.8, 2.2), holes=6, noise_mm=0.15)
    scan = simulate_scan(Mesh(head.vertices, head.faces), style, rng).to_mesh()
    return Piece(scan.vertices, scan.faces)


def bent(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Marked here; the bending is done before (labels must follow)."""
    return skin_only(head, model, points, rng)


def caricature(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """As `bent`: the shape is changed before."""
    return skin_only(head, model, points, rng)


def exaggerated(vertices: np.ndarray, model: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """Twice as far from the average head, tapered towards the chin or the crown, swollen or lean: unlike training."""
    average = model.topology.vertices
    far = average + 2.0 * (vertices - average)
    taper = 1 + rng.uniform(-0.0025, 0.0025) * (far[:, 1:2] + 30)
    swell = 1 + rng.uniform(-0.12, 0.12) * np.cos(far[:, 1:2] / 45)
    return far * np.concatenate([taper * swell, np.full_like(taper, rng.uniform(0.85, 1.2)), swell], axis=1)


def bust(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """With torso and hair."""
    mesh = model.topology
    pieces = [head, torso(model, rng), hair_cap(Piece(head.vertices, mesh.faces), mesh.vertices, rng)]
    return joined([*pieces, long_hair(rng)] if rng.random() < 0.5 else pieces)


def noisy(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Every vertex moved by 0.6 mm along each axis."""
    return Piece(head.vertices + rng.normal(0, 0.6, head.vertices.shape), head.faces)


def frontal(head: Piece, model: HeadModel, points: np.ndarray, rng: np.random.Generator) -> Piece:
    """Skin alone, cut off behind the cheeks, above the brow and below the chin."""
    skin = remeshed(head, model, points, rng)
    middle = 0.5 * (points[36] + points[45])
    reach = interocular_distance(points)
    x, y, z = ((skin.vertices - middle) / reach).T
    kept = (z > -0.4) & (y > -1.35) & (y < 0.8) & (np.abs(x) < 1.2)
    return Piece(skin.vertices, skin.faces[kept[skin.faces].all(axis=1)])


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        plain, skin_only, subdivided, decimated, remeshed, voxels, coarse_grid, scanned, noisy, frontal, bent,
        caricature, bust,
    )
}  # fmt: skip


def _filtered(piece: Piece, name: str, **options: object) -> Piece:
    meshes = _pymeshlab().MeshSet()
    meshes.add_mesh(_pymeshlab().Mesh(piece.vertices, piece.faces))
    meshes.apply_filter(name, **options)
    made = meshes.current_mesh()
    return Piece(made.vertex_matrix(), made.face_matrix().astype(np.int64))


def _length(value: float) -> object:
    return _pymeshlab().PureValue(value)


def _pymeshlab() -> Any:
    import pymeshlab

    return pymeshlab


@dataclass(frozen=True)
class Case:
    """A mesh and where its landmarks are."""

    mesh: Mesh
    points: np.ndarray
    head: np.ndarray
    """The same head on the embedded topology, in the mesh's frame, (V, 3)."""


def make_case(name: str, seed: int, model: HeadModel, expression: bool = True) -> Case:
    """One test head: identity `seed`, changed and posed."""
    rng = np.random.default_rng([seed, len(name)])
    marks = landmark_places(model)
    halves = random_expression(rng)
    vertices = model.rig(seed).pose(halves) if expression else model.identity(seed).vertices
    if name == "bent":
        vertices = random_bend(rng, marks.on(vertices), 1.0)(vertices)
    elif name == "caricature":
        vertices = exaggerated(vertices, model, rng)
    points = marks.on(vertices)
    piece = CHANGES[name](Piece(vertices, model.topology.faces), model, points, rng)
    used, faces = np.unique(piece.faces, return_inverse=True)
    shuffle = rng.permutation(len(used))
    changed, faces = piece.vertices[used][shuffle], np.argsort(shuffle)[faces.reshape(-1, 3)]
    look = view_rotation(rng.uniform(-60, 60), rng.uniform(-30, 30))
    turn = Rotation.create_group("O").as_matrix()[rng.integers(24)] @ look
    scale, shift = 10 ** rng.uniform(-3, 1), rng.normal(0, 100, 3)
    changed, points, vertices = (scale * (places @ turn.T + shift) for places in (changed, points, vertices))
    return Case(Mesh(changed, faces), points, vertices)


@dataclass(frozen=True)
class Score:
    """Of one change: one row per head that was found."""

    errors: np.ndarray
    """Percent of the interocular distance, (heads, 68)."""
    confidence: np.ndarray
    seconds: tuple[float, ...]
    lost: tuple[str, ...]


def score(name: str, seeds: range, model: HeadModel, pictures: str) -> Score:
    """Detect landmarks on the test heads with one change."""
    errors, confidence, seconds, lost = [], [], [], []
    for seed in seeds:
        case = make_case(name, seed, model)
        started = time.perf_counter()
        try:
            face = read_face(case.mesh)
        except NoFaceError as error:
            lost.append(f"{name} {seed}: {error}")
            continue
        seconds.append(time.perf_counter() - started)
        gap = np.linalg.norm(face.landmarks.points - case.points, axis=1)
        errors.append(100 * gap / interocular_distance(case.points))
        confidence.append(face.landmarks.confidence)
        if pictures:
            draw(case.mesh, face.landmarks.points, case.points, f"{pictures}/{name}_{seed}.png")
    return Score(np.array(errors).reshape(-1, 68), np.array(confidence).reshape(-1, 68), tuple(seconds), tuple(lost))


def main(heads: int = 8, only: tuple[str, ...] = (), first: int = 450, pictures: str = "") -> None:
    """Print a table: mean, median and 95th percentile of the error per change, failures, seconds.

    `sure` is the share of landmarks with a confidence of at least 0.5, and their mean error.
    """
    seeds = range(first, first + heads)
    if not set(seeds) <= set(load_split("aublendset")["test"]):
        raise ValueError(f"identities {seeds} are not all in the test part")
    model, regions = head_model(), np.array(landmark_regions())
    print("change        mean %  median     p95 worst head  lost      s  sure: share, mean %   by region")
    scores = []
    for name in only or tuple(CHANGES):
        scores.append(now := score(name, seeds, model, pictures))
        for line in now.lost:
            print(f"  {line}")
        if len(now.errors):
            parts = " ".join(f"{r} {now.errors[:, regions == r].mean():.2f}" for r in dict.fromkeys(regions))
            worst = now.errors.mean(axis=1).max()
            print(f"{_row(name, now)} {worst:10.2f} {len(now.lost):5d} {min(now.seconds):6.2f} {_sure(now)}   {parts}")
    errors, confidence = (np.concatenate([getattr(s, name) for s in scores]) for name in ("errors", "confidence"))
    whole = Score(errors, confidence, (), ())
    print(f"{_row('all', whole)} {'':10s} {sum(len(s.lost) for s in scores):5d} {'':6s} {_sure(whole)}")


def _row(name: str, now: Score) -> str:
    found = now.errors
    return f"{name:12s} {found.mean():7.2f} {np.median(found):7.2f} {np.percentile(found, 95):7.2f}"


def _sure(now: Score) -> str:
    sure = now.confidence >= 0.5
    return f"{sure.mean():11.2f} {now.errors[sure].mean():6.2f}"


if __name__ == "__main__":
    tyro.cli(main)
