"""Faces whose motion is known exactly: the gestures of data_specs/zero_shot.toml, on any identity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from aublend.captions import mirrored_halves
from aublend.curves import half_weights
from aublend.head_model import head_model
from aublend.rig import AURig
from facet_vlm.config import ModelConfig
from facet_vlm.faces.views import aligned_face_images, standard_vertices
from mesh4d.errors import SpecError
from mesh4d.mesh import Mesh
from mesh4d.specs import load_toml


@dataclass(frozen=True)
class LabelledFaces:
    """Rendered faces, each with its label."""

    names: tuple[str, ...]
    labels: Int[np.ndarray, " B"]
    """Rows of `names`."""
    images: UInt8[np.ndarray, "B N 3 H W"]
    subjects: Int[np.ndarray, " B"]
    halves: Float[np.ndarray, "B 2 A"]
    """Action unit weights of the left and the right half."""

    def __len__(self) -> int:
        return len(self.labels)


def gesture_sentences() -> dict[str, tuple[str, ...]]:
    """All wordings of each gesture of data_specs/zero_shot.toml."""
    return {name: tuple(entry["sentences"]) for name, entry in load_toml("zero_shot")["gesture"].items()}


def gesture_halves(name: str, intensity: float, rng: np.random.Generator) -> Float[np.ndarray, "2 A"]:
    """Action unit weights of one gesture, on either side where it has one.

    Raises:
        SpecError: a gesture that zero_shot.toml does not have.
    """
    table = load_toml("zero_shot")["gesture"]
    if name not in table:
        raise SpecError(f"data_specs/zero_shot.toml: expected a gesture among {sorted(table)}, found {name!r}")
    halves = half_weights({unit: weight * intensity for unit, weight in table[name]["units"].items()})
    return mirrored_halves(halves) if table[name].get("mirrored", False) and rng.random() < 0.5 else halves


def gesture_faces(
    subjects: Sequence[int], intensities: Sequence[float], model: ModelConfig, seed: int = 0
) -> LabelledFaces:
    """Every gesture on every identity, once per intensity."""
    names = tuple(gesture_sentences())
    images, labels, people, shown = [], [], [], []
    for subject in subjects:
        rig = head_model().rig(subject)
        rng = np.random.default_rng([seed, subject])
        for row, name in enumerate(names):
            for intensity in intensities:
                shown.append(gesture_halves(name, intensity, rng))
                mesh = _posed(rig, shown[-1])
                images.append(aligned_face_images(mesh, model.rig, model.image_size, model.inputs))
                labels.append(row)
                people.append(subject)
    return LabelledFaces(names, np.array(labels), np.stack(images), np.array(people), np.stack(shown))


def _posed(rig: AURig, halves: Float[np.ndarray, "2 A"]) -> Mesh:
    """A rig's face with these units, in the face frame and at standard size."""
    return rig.neutral.with_vertices(standard_vertices(rig.pose(halves), straighten=False))


def wordings(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Each sentence as a label of its own, NAME#1, NAME#2, ..."""
    return {f"{name}#{number}": (text,) for name, texts in table.items() for number, text in enumerate(texts, start=1)}
