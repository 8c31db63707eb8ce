"""How well `mesh4d.face_pose` places unseen heads, per kind of mesh; or, with --fit, the table that it corrects with.

    python -m benchmarks.face_pose [--heads 12] [--only plain scanned]
    python -m benchmarks.face_pose --fit 120        # prints [face_frame] of data_specs/views.toml; minutes

The truth is where facet_vlm puts the same head on the embedded topology: turned so that the skin of the skull lies as
on the average head, the eyeballs' centres the standard distance apart. Kinds of mesh are those of
`benchmarks.landmarks`: random axes, yaw, pitch, unit and vertex order.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tyro
from scipy.spatial.transform import Rotation

from aublend.head_model import HeadModel, head_model
from benchmarks.landmarks import CHANGES, Case, make_case
from facet_vlm.faces.views import standard_vertices
from mesh4d.errors import NoFaceError
from mesh4d.geometry.rigid import Similarity, similarity_align
from mesh4d.landmarks import face_pose
from mesh4d.landmarks.face_files import one_torch_thread
from mesh4d.landmarks.points68 import mirror_order
from mesh4d.mesh import Landmarks
from mesh4d.render.face_framing import HALF_TRUST
from mesh4d.specs import load_split, load_toml

FIT_KIND = "skin_only"
JITTER_MM, RIDGE_MM2 = 0.7, 0.3
"""Noise added to the readings that the table is fitted to, and how unwilling it is to follow them."""


def true_frame(head: np.ndarray) -> Similarity:
    """From the mesh's frame to the face frame: `head` is on the embedded topology."""
    return similarity_align(head, standard_vertices(head, straighten=True))


@dataclass(frozen=True)
class Errors:
    """Of one kind: a row per head."""

    turn_deg: np.ndarray
    shift_mm: np.ndarray
    size_percent: np.ndarray
    quick: np.ndarray
    seconds: np.ndarray
    lost: int

    def row(self, name: str) -> str:
        """A line of the table."""
        turn, shift, size = self.turn_deg, self.shift_mm, self.size_percent
        parts = [f"{v.mean():6.2f} {v.std():5.2f} {np.abs(v).max():5.1f}" for v in (turn, shift, size)]
        cpu = f"{1e3 * np.min(self.seconds[self.quick]) if self.quick.any() else np.nan:5.0f}"
        return f"{name:22s} {' |'.join(parts)} | {self.quick.mean():5.0%} {cpu} {self.lost:4d}"


def measure(cases: Iterator[Case]) -> Errors:
    """Place heads and compare."""
    rows, lost = [], 0
    for case in cases:
        started = time.process_time()
        try:
            pose = face_pose(case.mesh)
        except NoFaceError:
            lost += 1
            continue
        spent = time.process_time() - started
        apart = true_frame(case.head).compose(pose.to_face.inverse())  # face frame found -> face frame
        turn = np.degrees(Rotation.from_matrix(apart.rotation).magnitude())
        rows.append((turn, np.linalg.norm(apart.translation), -100 * np.log(apart.scale), pose.quick, spent))
    turn, shift, size, quick, seconds = np.array(rows, float).reshape(-1, 5).T
    return Errors(turn, shift, size, quick > 0, seconds, lost)


def fitted(model: HeadModel, subjects: int) -> str:
    """The average places and the correction, from what the networks read on training identities, both sides alike."""
    seen = []
    for seed in load_split("aublendset")["train"][:subjects]:
        for expression in (False, True):
            case = make_case(FIT_KIND, int(seed), model, expression)
            found = face_pose(case.mesh).landmarks
            seen.append((true_frame(case.head).apply(found.points), _confidence(found)))
    return table_of(seen)


def table_of(seen: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Ridge regression of what the similarity to the average face is wrong by on how the face differs from it.

    Args:
        seen: the 68 points in the true face frame, and their confidence, per face.
    """
    indices, order = load_toml("views")["face_frame"]["indices"], mirror_order()
    rng = np.random.default_rng(0)
    faces = []
    for points, confidence in seen:
        moved = points + rng.normal(0, JITTER_MM, points.shape)
        faces += [(moved[indices], confidence[indices])]
        faces += [((moved[order] * [-1, 1, 1])[indices], confidence[order][indices])]
    average = np.round(np.mean([points for points, _ in faces], axis=0), 1)
    particular, wrong = [], []
    for points, confidence in faces:
        fit = similarity_align(average, points, confidence)
        trust = confidence / (confidence + HALF_TRUST) * (1 + HALF_TRUST)
        particular.append((trust[:, None] * (fit.inverse().apply(points) - average)).ravel())
        wrong.append([np.log(fit.scale), *Rotation.from_matrix(fit.rotation).as_rotvec(), *fit.translation])
    x, y = np.array(particular), np.array(wrong)
    weights = np.linalg.solve(x.T @ x + RIDGE_MM2 * len(x) * np.eye(x.shape[1]), x.T @ y).T
    names = (("log_scale", weights[0]), ("rotation_rad", weights[1:4]), ("translation_mm", weights[4:]))
    places = "points_mm = [\n" + "".join(f"    [{_numbers(row, 1)}],\n" for row in average) + "]"
    lines = [places, "", "[face_frame.correction]"]
    for name, rows in names:
        nested = ", ".join(_block(row) for row in np.atleast_2d(rows))
        lines.append(f"{name} = {nested if rows.ndim == 1 else f'[{nested}]'}")
    return "\n".join(lines)


def _confidence(found: Landmarks) -> np.ndarray:
    return np.ones(len(found.points)) if found.confidence is None else np.maximum(found.confidence, 1e-3)


def _numbers(row: np.ndarray, decimals: int) -> str:
    return ", ".join(f"{value + 0.0:.{decimals}f}" for value in np.round(row, decimals))


def _block(row: np.ndarray) -> str:
    """Three numbers (x, y, z) per landmark, four landmarks a line."""
    lines = [_numbers(row[start : start + 12], 4) for start in range(0, len(row), 12)]
    return "[\n" + "".join(f"    {line},\n" for line in lines) + "]"


def main(heads: int = 12, only: tuple[str, ...] = (), first: int = 450, fit: int = 0) -> None:
    """Print mean, SD and largest error of turn (deg), shift (mm) and size (percent, signed) per kind of mesh."""
    one_torch_thread()  # the time printed is that of one core
    model = head_model()
    if fit:
        print(fitted(model, fit))
        return
    seeds = range(first, first + heads)
    if not set(seeds) <= set(load_split("aublendset")["test"]):
        raise ValueError(f"identities {seeds} are not all in the test part")
    print(f"{'':22s} turn, deg           | shift, mm         | size, %            quick    ms lost")
    for name in only or tuple(CHANGES):
        for expression in (False, True):
            found = measure(make_case(name, seed, model, expression) for seed in seeds)
            print(found.row(f"{name}{', expression' if expression else ''}"), flush=True)


if __name__ == "__main__":
    tyro.cli(main)
