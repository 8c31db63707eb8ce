"""Expressions of a folder of heads: heads per second on all cores, and where one head's time goes on one.

    python -m benchmarks.recognition [--heads 40]

The heads are unseen identities with expressions, refined to about 19,000 vertices (a topology of their own), turned and
in metres, written as OBJ.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import trimesh
import tyro

from aublend.head_model import head_model
from aublend.landmark_training.shapes import random_expression
from facet_vlm import load
from facet_vlm.faces.file_images import file_images
from facet_vlm.faces.views import aligned_face_images, view_angles
from facet_vlm.inference import score_images
from facet_vlm.language.prompts import label_sentences
from mesh4d.io import read_mesh, write_mesh
from mesh4d.landmarks import face_pose
from mesh4d.landmarks.windows import view_rotation
from mesh4d.mesh import Mesh
from mesh4d.threads import available_cores

Result = TypeVar("Result")
IDENTITIES = 10


def write_heads(folder: Path, count: int) -> list[Path]:
    """The folder that is read; identities are repeated with other expressions and poses."""
    model, rng, paths = head_model(), np.random.default_rng(0), []
    rigs = [model.rig(450 + number) for number in range(min(count, IDENTITIES))]
    for number in range(count):
        vertices = rigs[number % len(rigs)].pose(random_expression(rng))
        fine, faces = trimesh.remesh.subdivide_loop(vertices, model.topology.faces, iterations=1)
        turn = view_rotation(rng.uniform(-60, 60), rng.uniform(-30, 30))
        paths.append(folder / f"{number:03}.obj")
        write_mesh(Mesh(0.001 * fine @ turn.T, np.asarray(faces, np.int64)), paths[-1])
    return paths


def main(heads: int = 40) -> None:
    """Print heads per second and the table of parts."""
    model = load("facet-mini", "cpu")
    size, rig = model.card.model.image_size, model.card.model.rig
    sentences = label_sentences(None)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_heads(Path(folder), heads)
        spent: dict[str, float] = {part: np.inf for part in ("read", "align", "draw", "network")}

        def timed(part: str, work: Callable[[], Result]) -> Result:
            started = time.process_time()
            result = work()
            spent[part] = min(spent[part], time.process_time() - started)
            return result

        threads, quick = torch.get_num_threads(), 0
        torch.set_num_threads(1)
        for path in paths[: max(4, heads // 4)]:
            mesh = timed("read", lambda path=path: read_mesh(path))
            pose = timed("align", lambda mesh=mesh: face_pose(mesh))
            quick += pose.quick
            upright = mesh.with_vertices(pose.to_face.apply(mesh.vertices))
            images = timed("draw", lambda upright=upright: aligned_face_images(upright, rig, size))
            timed(
                "network", lambda images=images: score_images(model.network, images[None], view_angles(rig), sentences)
            )
        torch.set_num_threads(threads)
        started = time.perf_counter()
        found = [one.images for one in file_images(paths, rig, size) if one.images is not None]
        score_images(model.network, np.stack(found), view_angles(rig), sentences)
        wall = time.perf_counter() - started
    print(f"{len(found)} of {heads} heads of {mesh.n_vertices} vertices on {available_cores()} cores: ", end="")
    print(f"{len(found) / wall:.1f} heads/s (wall), {quick} of {max(4, heads // 4)} aligned by the quick look")
    print("CPU ms a head, one thread, least of all: ", end="")
    print(", ".join(f"{part} {1e3 * seconds:.0f}" for part, seconds in spent.items()))


if __name__ == "__main__":
    tyro.cli(main)
