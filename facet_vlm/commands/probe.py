"""What a model looks at, and what each part of it is worth."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Probe:
    """Put questions to a model, or to the way it is trained; each answer is a table in Markdown.

    halves: mean sensitivity from the upper face, the lower face, brows, eyes, nose and mouth alone, by exact masks.
    cues: what one changed cue (teeth, brows, lids, gaze) does to the probabilities, valence and arousal of otherwise
    equal faces, and accuracy per group of identities.
    components, inputs: small runs with parts of the network off, or on other pictures.
    augmentation: few people imaged by a scanner, with and without synthesised heads, soft and hard mixtures beside
    them. The last three train: minutes per row; what is done is kept in the folder.
    """

    what: Positional[Literal["halves", "cues", "components", "inputs", "augmentation"]]
    model: str = "facet-mini"
    """Weights to ask, for halves and cues."""
    identities: int = 20
    """Held-out people, for halves and cues."""
    people: tuple[int, ...] = (5, 10, 20, 40)
    """Few people, for augmentation."""
    synthesised: int = 40
    """Identities added, for augmentation."""
    train_identities: int = 60
    """People to train on, for components and inputs."""
    epochs: int = 6
    """For components and inputs; trials of augmentation all take as many steps."""
    seeds: int = 1
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/probes")
    """Folder for the tables and what is rendered for them."""

    def run(self) -> dict[str, object]:
        from mesh4d.io.atomic import atomic_write

        self.output.mkdir(parents=True, exist_ok=True)
        table = self._trials() if self.what in ("components", "inputs", "augmentation") else self._questions()
        path = self.output / f"{self.what}.md"
        with atomic_write(path, text=True) as file:
            file.write(table + "\n")
        return {"table": table, "report": str(path)}

    def _questions(self) -> str:
        from facet_vlm.config import DataConfig
        from facet_vlm.evaluation.probes.cues import cues_table, group_gaps, probe_cues
        from facet_vlm.evaluation.probes.halves import compare_parts, parts_table
        from facet_vlm.predict import FacetVLM, load
        from mesh4d.errors import MeshError
        from mesh4d.specs import load_split

        model = load(self.model)
        if not isinstance(model, FacetVLM):
            raise MeshError(f"expected weights that read single heads, found {self.model!r}")
        subjects = [int(subject) for subject in load_split("aublendset")["test"]][: self.identities]
        if self.what == "halves":
            return parts_table(compare_parts(model, subjects, DataConfig()))
        gaps = "\n".join(
            f"| {name} | {value:.3f} | {count} |" for name, (value, count) in group_gaps(model, subjects).items()
        )
        return (
            cues_table(probe_cues(model, subjects))
            + "\n\n| group | accuracy | people |\n| --- | ---: | ---: |\n"
            + gaps
        )

    def _trials(self) -> str:
        from facet_vlm.config import preset
        from facet_vlm.evaluation.probes import trials

        base = preset("facet-mini-base")
        settings = dataclasses.replace(base.train, epochs=self.epochs, validate_every=self.epochs)
        base = dataclasses.replace(
            base, train=settings, data=dataclasses.replace(base.data, max_train_subjects=self.train_identities)
        )
        chosen = {
            "components": lambda: trials.component_trials(base),
            "inputs": lambda: trials.input_trials(base),
            "augmentation": lambda: trials.augmentation_trials(base, self.people, self.synthesised),
        }[self.what]()
        judged = trials.SCANNED if self.what == "augmentation" else trials.JUDGED
        return trials.trials_table(trials.run_trials(chosen, self.output, range(self.seeds), judged))
