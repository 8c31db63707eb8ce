"""Single cues as experiments: the same person, the same face, one thing changed, and what the model then says.

"Reading Smiles" (arXiv 2506.19079) correlates what models say with teeth and brows that happen to be visible. On a rig
a cue can be set: the mean change over people is its average treatment effect.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from aublend.emotions import emotion, emotion_weights
from aublend.head_model import head_model
from aublend.rig import AURig
from facet_vlm.evaluation.intervals import Interval, mean_interval
from facet_vlm.faces.views import aligned_face_images, standard_vertices
from facet_vlm.predict import FacetVLM
from mesh4d.datasets.labels import EXPRESSIONS
from mesh4d.mesh import Mesh

INTENSITY = 0.7


Face = Callable[[AURig, dict[str, float]], Mesh]


@dataclass(frozen=True)
class Cue:
    """One thing that can be changed about a face."""

    name: str
    without: Face
    with_it: Face


@dataclass(frozen=True)
class CueEffect:
    """What a cue does to what the model says, over people, for faces of one expression."""

    cue: str
    expression: str
    probability: dict[str, Interval]
    """Change of each class's probability."""
    valence: Interval
    """Change of the expected valence, -2 to 2."""
    arousal: Interval
    flipped: float
    """Share of people for whom the answer changes."""


def _posed(rig: AURig, weights: dict[str, float], dropped: Sequence[str] = ()) -> Mesh:
    mesh = rig.drive(weights)
    upright = mesh.with_vertices(standard_vertices(mesh.vertices, straighten=False))
    if not dropped or upright.part_of_face is None:
        return upright
    gone = np.isin(upright.part_of_face, [upright.part_names.index(part) for part in dropped])
    return Mesh(upright.vertices, upright.faces[~gone])


def _adding(**more: float) -> Face:
    def face(rig: AURig, weights: dict[str, float]) -> Mesh:
        both = {unit: min(1.0, weights.get(unit, 0.0) + more.get(unit, 0.0)) for unit in {*weights, *more}}
        return _posed(rig, both)

    return face


CUES: tuple[Cue, ...] = (
    Cue(
        "teeth seen (mouth open)",
        lambda rig, w: _posed(rig, w | {"AU25": max(0.6, w.get("AU25", 0.0))}, ("teeth",)),
        lambda rig, w: _posed(rig, w | {"AU25": max(0.6, w.get("AU25", 0.0))}),
    ),
    Cue("mouth open", _adding(), _adding(AU25=0.5, AU26=0.4)),
    Cue("brows raised", _adding(), _adding(AU1=0.5, AU2=0.5)),
    Cue("brows lowered", _adding(), _adding(AU4=0.6)),
    Cue("lids wide", _adding(), _adding(AU5=0.6)),
    Cue("lids half shut", _adding(), _adding(AU45=0.4)),
    Cue("gaze aside", _adding(), _adding(AU61=0.8)),
    Cue(
        "eyes, teeth and lashes missing",
        _adding(),
        lambda rig, w: _posed(rig, w, ("eyes", "iris", "pupil", "teeth", "lashes")),
    ),
)


def probe_cues(
    model: FacetVLM, subjects: Sequence[int], expressions: Sequence[str] = EXPRESSIONS, cues: Sequence[Cue] = CUES
) -> list[CueEffect]:
    """The effect of every cue on every expression's faces.

    Args:
        subjects: held-out identities of the embedded model, at least two.
    """
    rigs = [head_model().rig(subject) for subject in subjects]
    effects = []
    for expression in expressions:
        weights = {} if expression == "neutral" else emotion_weights(expression, INTENSITY)
        for cue in cues:
            before, after = (
                _says(model, [face(rig, dict(weights)) for rig in rigs]) for face in (cue.without, cue.with_it)
            )
            effects.append(effect_of(cue.name, expression, before, after))
    return effects


def effect_of(
    cue: str, expression: str, before: Float[np.ndarray, "P K"], after: Float[np.ndarray, "P K"]
) -> CueEffect:
    """Paired differences of probabilities, with 95 % bounds over people drawn with replacement."""
    change = after - before
    affect = affect_of_expressions()
    return CueEffect(
        cue,
        expression,
        {label: mean_interval(change[:, column]) for column, label in enumerate(EXPRESSIONS)},
        mean_interval(change @ affect[:, 0]),
        mean_interval(change @ affect[:, 1]),
        float((before.argmax(axis=1) != after.argmax(axis=1)).mean()),
    )


def group_gaps(
    model: FacetVLM, subjects: Sequence[int], intensity: float = INTENSITY
) -> Mapping[str, tuple[float, int]]:
    """Accuracy over all expressions, and people, per group of identities: by sex, age and population mixture."""
    right: dict[int, float] = {}
    for subject in subjects:
        rig = head_model().rig(subject)
        faces = [_posed(rig, {} if name == "neutral" else emotion_weights(name, intensity)) for name in EXPRESSIONS]
        right[subject] = float((_says(model, faces).argmax(axis=1) == np.arange(len(EXPRESSIONS))).mean())
    groups: dict[str, list[float]] = {}
    for subject, value in right.items():
        for name in identity_groups(subject):
            groups.setdefault(name, []).append(value)
    return {name: (float(np.mean(values)), len(values)) for name, values in sorted(groups.items())}


def identity_groups(subject: int) -> tuple[str, ...]:
    """The groups that an identity of the embedded model belongs to."""
    from aublend.identity import GROUPS

    person = head_model().parameters(subject)
    sex = "male" if person.male > 0.5 else "female"
    age = "young" if person.age < 0.5 else "middle" if person.age < 0.75 else "old"
    return f"sex: {sex}", f"age: {age}", f"population: mostly {GROUPS[int(np.argmax(person.groups))]}"


def affect_of_expressions() -> Float[np.ndarray, "K 2"]:
    """Valence and arousal of each of EXPRESSIONS; neutral is 0, 0."""
    places = [
        (0.0, 0.0) if name == "neutral" else (emotion(name).valence, emotion(name).arousal) for name in EXPRESSIONS
    ]
    return np.array(places)


def cues_table(effects: Sequence[CueEffect]) -> str:
    """Markdown: a row per expression and cue, with the class whose probability changes most."""
    rows = [
        "| face | cue | largest change | valence | arousal | answers changed |",
        "| --- | --- | --- | --- | --- | ---: |",
    ]
    for e in effects:
        label, most = max(e.probability.items(), key=lambda item: abs(item[1].value))
        rows.append(f"| {e.expression} | {e.cue} | {label} {most} | {e.valence} | {e.arousal} | {e.flipped:.0%} |")
    return "\n".join(rows)


def _says(model: FacetVLM, faces: Sequence[Mesh]) -> Float[np.ndarray, "P K"]:
    settings = model.card.model
    images = [aligned_face_images(face, settings.rig, settings.image_size, settings.inputs) for face in faces]
    return model.score(np.stack(images))[1].probabilities.astype(float)
