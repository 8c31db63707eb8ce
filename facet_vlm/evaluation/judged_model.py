"""The model that a protocol judges: shipped or trained weights, or any open_clip model with weights of its own."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from facet_vlm.config import ModelConfig
from facet_vlm.inference import resolve_device
from facet_vlm.network.facet import FacetNetwork, build_network
from facet_vlm.network.temporal_weights import TemporalModel, read_temporal_weights, temporal_path
from facet_vlm.network.weights import WEIGHTS_FOLDER, read_weights
from mesh4d.datasets.dataset import Dataset
from mesh4d.errors import SpecError, SplitError

SEED_NAME = re.compile(r"P?0*(\d{1,9})")
"""A synthetic subject is called after its identity's seed: P00451."""
SHIPPED_4D = "facet-mini-4d"


@dataclass(frozen=True)
class JudgedModel:
    """Towers and fusion, with what a report has to say of them."""

    name: str
    config: ModelConfig
    network: FacetNetwork
    sha256: str
    """Of the weights' file."""
    fusion_trained: bool
    """False for an open_clip model: its CVSA and MTGF are random until fusion tuning."""
    learnt_identities: frozenset[int] = frozenset()
    """Of the embedded head model: seen in training or selection, of the 4D weights too."""
    temporal: TemporalModel | None = None
    """4D weights on these very weights."""
    temporal_note: str = "no 4D weights were asked for"
    """What a report says of them."""

    def refuse_learnt_subjects(self, dataset: Dataset) -> str:
        """The sentence that says that nobody in a data set was learnt from.

        Raises:
            SplitError: when synthetic subjects are identities that the weights have seen.
        """
        if not self.fusion_trained:
            return f"{self.name}: what its towers have learnt from is not known here"
        if dataset.kind != "synthetic":
            return (
                f"{self.name} has learnt from identities of the embedded head model only; {dataset.kind} is no such set"
            )
        seen = {name: SEED_NAME.fullmatch(name) for name in dataset.subjects}
        shared = sorted(n for n, match in seen.items() if match and int(match[1]) in self.learnt_identities)
        if shared:
            raise SplitError(f"subjects {', '.join(shared[:5])} were used to train or select {self.name!r}")
        return f"none of the {len(dataset.subjects)} synthetic subjects was used to train or select {self.name}"


def judged_model(name: str, weights: str | None = None, device: str = "auto", temporal: str = "auto") -> JudgedModel:
    """A model to judge.

    Args:
        name: a shipped preset, a .safetensors file with its card (of 4D weights: with the 3D weights below them), or
            (with `weights`) a model that open_clip lists.
        weights: a file of that open_clip model's weights, or one of its tags (fetched from the hub).
        device: 'auto', 'cpu', 'cuda'.
        temporal: 4D weights for sequences, a preset or a file; 'auto' takes the shipped ones where they sit on the
            model's weights, 'none' none.

    Raises:
        SpecError: no such model, an open_clip model without weights, or 4D weights that sit on other 3D weights.
    """
    if weights is not None:
        return _with_temporal(_open_clip_model(name, weights, device), temporal)
    as_4d = temporal_path(name)
    if as_4d is not None:
        return judged_model(read_temporal_weights(as_4d).card.model.base, None, device, str(as_4d))
    if Path(name).suffix != ".safetensors" and not (WEIGHTS_FOLDER / f"{name}.safetensors").is_file():
        shipped = sorted(file.stem for file in WEIGHTS_FOLDER.glob("*.safetensors"))
        raise SpecError(
            f"expected a preset among {shipped}, a .safetensors file, or an open_clip model with its weights; "
            f"found {name!r} and no weights"
        )
    network, card = read_weights(name)
    learnt = frozenset([*card.train_subjects, *card.validation_subjects])
    placed = network.to(resolve_device(device)).eval()
    return _with_temporal(JudgedModel(card.name, card.model, placed, card.weights_sha256, True, learnt), temporal)


def _with_temporal(model: JudgedModel, asked: str) -> JudgedModel:
    """The model with the 4D weights that were asked for, if there are any, and a sentence about them."""
    if asked == "none":
        return model
    path = temporal_path(SHIPPED_4D if asked == "auto" else asked)
    if path is None:
        if asked != "auto":
            raise SpecError(f"expected 4D weights (a preset or a .safetensors file with its card), found {asked!r}")
        return replace(model, temporal_note=f"{SHIPPED_4D} is not installed")
    below = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["base_sha256"]
    if below != model.sha256:
        told = f"{path.stem} sits on the 3D weights {str(below)[:12]}, and {model.name} is {model.sha256[:12]}"
        if asked != "auto":
            raise SpecError(told)
        return replace(model, temporal_note=told)
    found = read_temporal_weights(path)
    learnt = model.learnt_identities | {*found.card.train_subjects, *found.card.validation_subjects}
    note = f"{found.card.name}, SHA-256 {found.card.weights_sha256}"
    return replace(model, temporal=found, temporal_note=note, learnt_identities=learnt)


def _open_clip_model(name: str, weights: str, device: str) -> JudgedModel:
    import open_clip

    described = open_clip.get_model_config(name)
    if described is None:
        raise SpecError(f"expected a model that open_clip lists, found {name!r} (open_clip.list_models() lists them)")
    path = Path(weights)
    if path.suffix and not path.is_file():
        raise SpecError(f"{path}: no such weights")
    size = described["vision_cfg"].get("image_size", 224)
    config = ModelConfig(clip=name, pretrained=weights, tokenizer="open_clip", image_size=size)
    try:
        network = build_network(config).to(resolve_device(device)).eval()
    except (RuntimeError, OSError, KeyError) as failure:
        raise SpecError(f"{weights}: expected weights of {name}, found {str(failure)[:200]}") from failure
    if path.is_file():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    else:
        digest = hashlib.sha256(f"{name} {weights}".encode())
    return JudgedModel(name, config, network, digest.hexdigest(), False)
