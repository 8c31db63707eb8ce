"""Synthesised expressions as network input: rendered once in parallel processes, kept as bytes in one file."""

import dataclasses
import hashlib
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from tqdm import tqdm

from facet_vlm.config import DataConfig, ModelConfig
from facet_vlm.faces.fingerprint import hash_of_arrays
from facet_vlm.faces.synthesis import judged_faces, training_faces
from facet_vlm.faces.views import aligned_face_images, view_angles
from mesh4d.errors import MeshFormatError, SplitError
from mesh4d.io.atomic import atomic_write
from mesh4d.render import CameraRig, camera_rig
from mesh4d.specs import load_split

TRAINING_PARTS = ("train", "validation")
FEW_SUBJECTS = 4
"""So few are done before parallel processes have started."""
FIELDS = ("images", "angles_deg", "labels", "targets", "subjects", "intensities", "halves")


@dataclass(frozen=True)
class ExpressionSet:
    """Rendered samples with their labels."""

    images: UInt8[np.ndarray, "B N 3 H W"]
    """Bands of `facet_vlm.faces.inputs.BANDS`, one picture per view."""
    angles_deg: Float[np.ndarray, "B N 2"]
    """Yaw and pitch of each view."""
    labels: Int[np.ndarray, " B"]
    """Row of EXPRESSIONS; -1 where the face shows none of them."""
    targets: Float[np.ndarray, "B K"]
    """Probability of each expression; zeros where the face shows none of them."""
    subjects: Int[np.ndarray, " B"]
    intensities: Float[np.ndarray, " B"]
    halves: Float[np.ndarray, "B 2 A"]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, keep: Bool[np.ndarray, " B"]) -> "ExpressionSet":
        """Some of the samples."""
        return ExpressionSet(*(getattr(self, name)[keep] for name in FIELDS))

    def content_hash(self) -> str:
        """SHA-256 over all arrays."""
        return hash_of_arrays({name: getattr(self, name) for name in FIELDS})


def expression_set(
    part: str, data: DataConfig, model: ModelConfig, folder: Path | None = None, processes: int | None = None
) -> ExpressionSet:
    """The samples of one part of the split; rendered when `folder` does not hold them yet.

    Args:
        part: a part of the split; 'train' has training draws, every other part test draws.
        folder: where to keep the rendered file; None keeps nothing.
        processes: parallel renderers; None is one per core.

    Raises:
        SplitError: for a part that the split does not have, or subjects in two parts.
    """
    parts = load_split(data.split)
    if part not in parts:
        raise SplitError(f"split {data.split!r} has parts {sorted(parts)}, found {part!r}")
    subjects = [int(subject) for subject in parts[part]][: data.max_train_subjects]
    path = None if folder is None else folder / f"{part}-{_request_hash(part, subjects, data, model)}.npz"
    if path is not None and path.is_file():
        return read_expression_set(path)
    samples = render_subjects(subjects, data, model, part == "train", processes)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.savez(file, **{name: getattr(samples, name) for name in FIELDS})
    return samples


def render_subjects(
    subjects: Sequence[int], data: DataConfig, model: ModelConfig, training: bool, processes: int | None = None
) -> ExpressionSet:
    """Synthesise and render the expressions of some identities; order and content do not depend on `processes`."""
    work = partial(_render_person, data=data, model=model, training=training)
    count = processes or os.cpu_count() or 1
    few = len(subjects) <= FEW_SUBJECTS
    if count == 1 or few:
        people = [work(subject) for subject in tqdm(subjects, desc="rendering", unit="person", disable=few)]
    else:
        context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has started its threads
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            people = list(tqdm(pool.map(work, subjects), total=len(subjects), desc="rendering", unit="person"))
    return ExpressionSet(*(np.concatenate([getattr(person, name) for person in people]) for name in FIELDS))


def read_expression_set(path: Path) -> ExpressionSet:
    """A rendered file.

    Raises:
        MeshFormatError: when an array is missing.
    """
    with np.load(path, allow_pickle=False) as file:
        missing = [name for name in FIELDS if name not in file]
        if missing:
            raise MeshFormatError(path, "arrays", ", ".join(FIELDS), f"no {', '.join(missing)}")
        return ExpressionSet(**{name: file[name] for name in FIELDS})


def _render_person(subject: int, data: DataConfig, model: ModelConfig, training: bool) -> ExpressionSet:
    rng = np.random.default_rng([data.seed, subject, 2])
    faces = list(training_faces(subject, data) if training else judged_faces(subject, data))
    rig = camera_rig(model.rig)
    rigs = [jittered(rig, data.kept_views, data.camera_jitter_deg, rng) if training else rig for _ in faces]
    images = [
        aligned_face_images(face.mesh, cameras, model.image_size, model.inputs)
        for face, cameras in zip(faces, rigs, strict=True)
    ]
    return ExpressionSet(
        images=np.stack(images),
        angles_deg=np.stack([view_angles(cameras) for cameras in rigs]),
        labels=np.array([face.shown.label for face in faces]),
        targets=np.stack([face.shown.target for face in faces]),
        subjects=np.full(len(faces), subject),
        intensities=np.array([face.shown.intensity for face in faces], np.float32),
        halves=np.stack([face.shown.halves for face in faces]),
    )


def jittered(rig: CameraRig, count: int, largest_deg: float, rng: np.random.Generator) -> CameraRig:
    """Some of a rig's cameras, moved a little: a model that saw exact places only would not read others."""
    chosen = np.sort(rng.choice(len(rig), min(count, len(rig)), replace=False))
    yaws = np.asarray(rig.yaws_deg)[chosen] + rng.uniform(-largest_deg, largest_deg, len(chosen))
    pitches = np.asarray(rig.pitches_deg)[chosen] + rng.uniform(-largest_deg, largest_deg, len(chosen))
    return dataclasses.replace(
        rig, name=f"{rig.name}, jittered", yaws_deg=tuple(yaws.tolist()), pitches_deg=tuple(pitches.tolist())
    )


def _request_hash(part: str, subjects: list[int], data: DataConfig, model: ModelConfig) -> str:
    """What decides the file's content, short; sources that changed need a new folder."""
    request = [part, subjects, dataclasses.asdict(data), model.rig, model.image_size, model.inputs]
    return hashlib.sha256(json.dumps(request).encode()).hexdigest()[:16]
