"""Predicted rigs of test heads in another topology, pose and unit, against their true displacements.

Each head is subdivided, its vertices are shuffled, and it is turned and shrunk to metres; the truth takes the same way.
With and without eyes, teeth and the inside of the mouth.
"""

import time

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from aublend.head_model import head_model
from aublend.predict import predict_rig
from aublend.units import AU_NAMES
from mesh4d.geometry.rigid import Similarity
from mesh4d.mesh import Mesh

SEEDS = (455, 460, 471)
FORMS = {"whole head": None, "skin alone": ("skin", "lips")}
WORST = 3


def foreign(seed: int, parts: tuple[str, ...] | None) -> tuple[Mesh, Similarity, np.ndarray]:
    """The head, where it was put, and its true displacements (A, U, 3) in mm, face frame."""
    rng = np.random.default_rng(seed)
    model = head_model()
    identity = model.parameters(seed)
    neutral, deltas = model.neutral(identity), model.deltas(identity)
    part = np.array(neutral.part_names)[neutral.part_of_face]
    faces = neutral.faces if parts is None else neutral.faces[np.isin(part, parts)]
    shapes = [neutral.vertices, *(neutral.vertices + deltas)]
    fine = [trimesh.remesh.subdivide(vertices, faces) for vertices in shapes]
    used, cells = np.unique(np.asarray(fine[0][1]), return_inverse=True)
    order = rng.permutation(len(used))
    points = np.stack([np.asarray(vertices)[used] for vertices, _ in fine])[:, order]
    turn = Rotation.random(random_state=int(rng.integers(1 << 30))).as_matrix()
    place = Similarity(0.001, turn, rng.normal(size=3))
    mesh = Mesh(place.apply(points[0]), np.argsort(order)[cells.reshape(-1, 3)])
    return mesh, place, points[1:] - points[0]


def main() -> None:
    """Print a row per head and form."""
    print("| head | vertices | CPU s | cosine, mean over units | lowest |\n| --- | --- | --- | --- | --- |")
    for form, parts in FORMS.items():
        for seed in SEEDS:
            mesh, place, truth = foreign(seed, parts)
            start = time.process_time()
            rig = predict_rig(mesh)
            seconds = time.process_time() - start
            found = (rig.deltas.astype(float) @ place.rotation) / place.scale
            norms = np.sqrt((found**2).sum(axis=(1, 2)) * (truth**2).sum(axis=(1, 2)))
            cosine = (found * truth).sum(axis=(1, 2)) / norms
            lowest = ", ".join(f"{AU_NAMES[row]} {cosine[row]:.2f}" for row in np.argsort(cosine)[:WORST])
            print(
                f"| {form}, {seed} | {mesh.n_vertices} | {seconds:.1f} | {cosine.mean():.3f} | {lowest} |", flush=True
            )


if __name__ == "__main__":
    main()
