"""Upper and lower face: how much of an expression each half tells, by exact masks on the mesh.

After Nunnari, Singh & Gebhard (arXiv 2507.20197), who compare recognition from half faces; their cut is not published.
Ours are planes in the face frame at standard size, so that they fall alike on every head. What is masked still hides
what lies behind it, and its pixels are empty space. Their measure is mean sensitivity (UAR) with its spread.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from facet_vlm.config import DataConfig
from facet_vlm.evaluation.intervals import RESAMPLES, Interval, bounds
from facet_vlm.evaluation.metrics import confusion_matrix
from facet_vlm.faces.synthesis import judged_faces
from facet_vlm.faces.views import aligned_face_images
from facet_vlm.predict import FacetVLM
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml


@dataclass(frozen=True)
class PartResult:
    """Recognition from one part of the face."""

    part: str
    sensitivity: Interval
    """Mean over classes of the share that is right, with 95 % bounds over identities."""
    spread: float
    """Standard deviation of that share over classes."""
    recalls: dict[str, float]
    confusion: Int[np.ndarray, "K K"]


def face_parts() -> dict[str, tuple[float, float]]:
    """Parts by name: lowest and highest y that is seen, mm in the face frame at standard size."""
    return {name: (float(low), float(high)) for name, (low, high) in load_toml("face_parts")["seen_y_mm"].items()}


def hidden_beyond(mesh: Mesh, low_mm: float, high_mm: float) -> Bool[np.ndarray, " F"]:
    """Triangles whose middle lies outside a band of heights."""
    height = mesh.vertices[:, 1][mesh.faces].mean(axis=1)
    return (height < low_mm) | (height > high_mm)


def compare_parts(
    model: FacetVLM, subjects: Sequence[int], config: DataConfig, parts: Sequence[str] = ()
) -> list[PartResult]:
    """Judge a model on the same faces with different parts to see.

    Args:
        subjects: held-out identities of the embedded model.
        config: a DataConfig; says what they show and what happens to them.
        parts: names in data_specs/face_parts.toml; all by default.
    """
    bands = {name: band for name, band in face_parts().items() if not parts or name in parts}
    faces = [(subject, face) for subject in subjects for face in judged_faces(subject, config)]
    truth = np.array([face.shown.label for _, face in faces])
    people = np.array([subject for subject, _ in faces])
    settings = model.card.model
    results = []
    for name, band in bands.items():
        images = np.stack([
            aligned_face_images(
                face.mesh, settings.rig, settings.image_size, settings.inputs,
                hidden_faces=hidden_beyond(face.mesh, *band),
            )
            for _, face in faces
        ])  # fmt: skip
        results.append(part_result(name, truth, model.score(images)[1].fused.argmax(axis=1), people))
    return results


def part_result(
    name: str, truth: Int[np.ndarray, " B"], guess: Int[np.ndarray, " B"], people: Int[np.ndarray, " B"]
) -> PartResult:
    """Sensitivity per class and its mean, with bounds over people drawn with replacement."""
    count = len(EXPRESSIONS)
    per_person = np.stack([confusion_matrix(truth[people == p], guess[people == p], count) for p in np.unique(people)])
    confusion = per_person.sum(axis=0)
    drawn = np.random.default_rng(0).multinomial(
        len(per_person), np.full(len(per_person), 1 / len(per_person)), RESAMPLES
    )
    low, high = bounds(np.array([np.nanmean(_recalls(sample)) for sample in np.tensordot(drawn, per_person, 1)]))
    recalls = _recalls(confusion)
    return PartResult(
        name,
        Interval(float(np.nanmean(recalls)), low, high),
        float(np.nanstd(recalls)),
        {label: float(value) for label, value in zip(EXPRESSIONS, recalls, strict=True)},
        confusion,
    )


def parts_table(results: Sequence[PartResult]) -> str:
    """Markdown: a row per part."""
    head = ["| seen | mean sensitivity | SD over classes | " + " | ".join(EXPRESSIONS) + " |"]
    rule = ["| --- | --- | ---: |" + " ---: |" * len(EXPRESSIONS)]
    rows = [
        f"| {r.part} | {r.sensitivity} | {r.spread:.3f} | " + " | ".join(f"{v:.2f}" for v in r.recalls.values()) + " |"
        for r in results
    ]
    return "\n".join([*head, *rule, *rows])


def _recalls(confusion: Float[np.ndarray, "K K"] | Int[np.ndarray, "K K"]) -> Float[np.ndarray, " K"]:
    totals = confusion.sum(axis=1)
    return np.where(totals > 0, np.diag(confusion) / np.maximum(totals, 1), np.nan)
