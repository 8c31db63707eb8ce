"""Action unit weights to words, in three levels: the state of the whole face, one sentence per region, and a summary.

The captions are exact, because the faces are made from the weights they speak of. All wording is in
data_specs/prompts.toml: without a Generator every sentence is the plain one, with a Generator it is one of its
paraphrases. Levels as in EmoCapCLIP (arXiv 2507.21015): global, local, summary.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from aublend.units import ACTION_UNITS, AU_INDEX
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

REGIONS: tuple[str, ...] = tuple(dict.fromkeys(unit.region for unit in ACTION_UNITS))
"""Regions of the face in the order of action_units.toml: brow, lid, cheek, nose, lip, jaw, eye."""

MIRRORED_UNITS = {"AU30L": "AU30R", "AU30R": "AU30L", "AU61": "AU62", "AU62": "AU61"}
"""Units that a mirrored face shows in place of each other."""

BEFORE_VOWEL = re.compile(r"\ba (?=[aeiou])")
PLACES = ("{after}", "{before}", "{size}")
"""Where the intensity word of a wording may stand."""
Rng = np.random.Generator | None


@cache
def region_rows(region: str) -> tuple[int, ...]:
    """Rows of the units whose motion lies in a region."""
    return tuple(row for row, unit in enumerate(ACTION_UNITS) if unit.region == region)


def face_caption(halves: Float[np.ndarray, "2 A"], rng: Rng = None) -> str:
    """One sentence that names the strongest units of the face.

    Args:
        halves: weights of the subject's left (0) and right (1) half, as `aublend.curves.half_weights` gives them.
        rng: draws among the paraphrases and shuffles the units; None takes the plain wording, strongest unit first.
    """
    return _evidence(halves, range(len(ACTION_UNITS)), _caption()["global_phrases"], rng) or _one_of(
        _caption()["rest"], rng
    )


def region_caption(halves: Float[np.ndarray, "2 A"], region: str, rng: Rng = None) -> str:
    """One sentence about one region of REGIONS; arguments as for `face_caption`."""
    said = _evidence(halves, region_rows(region), _caption()["global_phrases"], rng)
    return said or _one_of(_caption()["region_rest"][region], rng)


def global_caption(label: str | None, intensity: float, rng: Rng = None) -> str:
    """The state of the whole face and how strong it is: "a strongly happy face".

    Args:
        label: "neutral", an emotion of emotions.toml, or None for units at random, of which no emotion can be read.
        intensity: of the emotion, 0 to 1; says nothing where there is none.

    Raises:
        SpecError: for a label without words.
    """
    spec = load_toml("prompts")["state"]
    if label is None or label == "neutral":
        return _tidy(_one_of(spec["unclear" if label is None else "neutral"], rng))
    if label not in spec["words"]:
        raise SpecError(f"data_specs/prompts.toml: expected a state among {sorted(spec['words'])}, found {label!r}")
    words = spec["words"][label]
    state = {"adjective": _one_of(words["adjectives"], rng), "noun": _one_of(words["nouns"], rng)}
    template = _one_of(_fitting(spec["templates"], intensity), rng)
    return _tidy(template.format(**state, **_intensity_words(intensity, rng)))


def summary_caption(halves: Float[np.ndarray, "2 A"], label: str | None, intensity: float, rng: Rng = None) -> str:
    """The state and its main evidence: "a moderately sad face: the inner brows rise and the chin is pushed up"."""
    spec = _caption()
    state = global_caption(label, intensity, rng)
    rows = range(len(ACTION_UNITS))
    evidence = _evidence(halves, rows, spec["evidence_phrases"], rng, joiner=" and ", intensities=False)
    if not evidence:
        return f"{state}: {_one_of(spec['rest'], rng)}" if label == "neutral" else state
    return _one_of(spec["summaries"], rng).format(state=state, evidence=evidence)


def mirrored_halves(halves: Float[np.ndarray, "*B 2 A"]) -> Float[np.ndarray, "*B 2 A"]:
    """The weights of the mirrored face."""
    partner = np.arange(len(ACTION_UNITS))
    for one, other in MIRRORED_UNITS.items():
        partner[AU_INDEX[one]] = AU_INDEX[other]
    return halves[..., ::-1, :][..., partner]


def caption_wordings() -> tuple[str, ...]:
    """All that captions can be made of: every wording with its placeholders empty, and every word that fills one."""
    spec, state = _caption(), load_toml("prompts")["state"]
    empty = dict.fromkeys(("after", "before", "size", "which", "adjective", "noun", "state", "evidence"), "")
    wordings = [text for unit in spec["unit"].values() for text in (*unit["both"], *unit["one"])]
    wordings += [text for texts in spec["region_rest"].values() for text in texts]
    for key in ("rest", "side", "left", "right", "joiners", "summaries"):
        wordings += spec[key]
    for step in spec["intensities"]:
        wordings += [word for kind in ("anywhere", "before", "after", "size") for word in step[kind]]
    for key in ("templates", "neutral", "unclear"):
        wordings += state[key]
    wordings += [word for words in state["words"].values() for kind in words.values() for word in kind]
    return ("an", *(_tidy(text.format(**empty)) for text in wordings))


def _caption() -> dict[str, Any]:
    return load_toml("prompts")["caption"]


def _evidence(
    halves: Float[np.ndarray, "2 A"],
    rows: Sequence[int],
    most: int,
    rng: Rng,
    joiner: str = "",
    intensities: bool = True,
) -> str:
    """The phrases of the strongest visible units among `rows`, joined; empty where none is visible."""
    spec = _caption()
    strongest = sorted(rows, key=lambda row: -halves[:, row].max())[:most]
    visible = [row for row in strongest if halves[:, row].max() >= spec["visible_from"]]
    if rng is not None:
        visible = rng.permutation(visible).tolist()
    phrases = [_phrase(row, halves[:, row], rng, intensities) for row in visible]
    return (joiner or _one_of(spec["joiners"], rng)).join(phrases)


def _phrase(row: int, weights: Float[np.ndarray, " 2"], rng: Rng, intensities: bool) -> str:
    """A unit's phrase with its intensity word, and its side where one half moves much more."""
    spec, unit = _caption(), _caption()["unit"][ACTION_UNITS[row].name]
    left, right = float(weights[0]), float(weights[1])
    strongest = max(left, right)
    words = _intensity_words(strongest, rng) if intensities else dict.fromkeys(("after", "before", "size"), "")
    if strongest <= spec["side_ratio"] * min(left, right):
        return _tidy(_one_of(_fitting(unit["both"], strongest), rng).format(**words))
    which = _one_of(spec["left" if left > right else "right"], rng)
    sided = [f"{unit['both'][0]} {side}" for side in spec["side"]]
    # Half of the drawn sentences name the one part that moves, the others the pair and the side.
    wordings = sided if rng is None or rng.random() < 0.5 else _fitting(unit["one"], strongest)
    return _tidy(_one_of(wordings, rng).format(which=which, **words))


def _fitting(wordings: Sequence[str], strength: float) -> list[str]:
    """The wordings that do not overstate motion of this strength."""
    bare_from = _caption()["bare_from"]
    return [text for text in wordings if strength >= bare_from or any(place in text for place in PLACES)]


def _intensity_words(strength: float, rng: Rng) -> dict[str, str]:
    """What fills {after}, {before} and {size}; some drawn sentences leave the intensity open."""
    spec = _caption()
    if rng is not None and strength >= spec["plain_from"] and rng.random() < spec["plain_share"]:
        return dict.fromkeys(("after", "before", "size"), "")
    step = next(step for step in spec["intensities"] if strength < step["below"])
    return {
        "after": _one_of(step["anywhere"] + step["after"], rng),
        "before": _one_of(step["anywhere"] + step["before"], rng),
        "size": _one_of(step["size"], rng),
    }


def _one_of(wordings: Sequence[str], rng: Rng) -> str:
    """The plain wording, or one at random."""
    return wordings[0 if rng is None else int(rng.integers(len(wordings)))]


def _tidy(text: str) -> str:
    """Single blanks, none before punctuation, and "an" before vowels."""
    return BEFORE_VOWEL.sub("an ", re.sub(r" +(?=[,:]|$)", "", re.sub(r"\s+", " ", text)).strip())
