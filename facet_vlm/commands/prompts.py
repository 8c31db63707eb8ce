"""Learn a label set from a few labelled faces."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Prompts:
    """Learn prompts for a label set from a few labelled faces, on frozen weights; seconds on a CPU.

    FOLDER holds one sub-folder of mesh files per label, or a data set with --dataset. What is learned goes into a small
    .safetensors file with a card beside it, which `facet-vlm predict --prompts FILE` and
    `FacetVLM.predict(labels=read_prompts(FILE))` take.
    """

    folder: Positional[Path]
    """FOLDER/LABEL/*.obj, *.ply, ...; or the folder of a data set."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("prompts.safetensors")
    """The file to write."""
    sentences: tuple[str, ...] = ()
    """LABEL=SENTENCE: what a label means, for labels that are no canonical expression; may come several times."""
    dataset: str | None = None
    """Kind of data set that FOLDER is: bu3dfe, bosphorus, bu4dfe, bp4d, 4dme or synthetic."""
    shots: int | None = None
    """Faces per label, at most."""
    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    context: int = 8
    """Learnable vectors before the words of a label; 0 keeps the sentences as they are."""
    adapter: int = 32
    """Hidden width of the adapter of image features; 0 has none."""
    top_k: int = 1
    """Patches per view that speak beside the whole face."""
    steps: int = 200
    seed: int = 0
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.faces.shots import dataset_shots, folder_shots
        from facet_vlm.language.learned_prompts import write_prompts
        from facet_vlm.predict import load
        from facet_vlm.training.prompt_learning import PromptConfig, prompts_from_shots

        if self.dataset is None:
            found = folder_shots(self.folder, self.shots)
        else:
            found = dataset_shots(self.dataset, self.folder, self.shots)
        config = PromptConfig(
            context=self.context, adapter=self.adapter, top_k=self.top_k, steps=self.steps, seed=self.seed
        )
        model = load(self.model, self.device)
        learned = prompts_from_shots(model, found, spoken_labels(tuple(found), self.sentences), config)
        card = dict(learned.card) | {"model": self.model, "folder": str(self.folder), "dataset": self.dataset}
        write_prompts(dataclasses.replace(learned, card=card), self.output.with_suffix(""))
        return {"prompts": str(self.output.with_suffix(".safetensors")), **card}


def spoken_labels(labels: tuple[str, ...], sentences: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The sentences of each label: those given, else those of the canonical expression of that name.

    Raises:
        SpecError: a sentence for a label that is not there, or a new label without one.
    """
    from facet_vlm.language.prompts import class_sentences
    from mesh4d.errors import SpecError

    given: dict[str, tuple[str, ...]] = {}
    for entry in sentences:
        label, equals, text = entry.partition("=")
        if not equals or label not in labels or not text.strip():
            raise SpecError(f"expected LABEL=SENTENCE with a label among {labels}, found {entry!r}")
        given[label] = (*given.get(label, ()), text)
    return {label: given[label] if label in given else class_sentences(label) for label in labels}
