"""Judge a model on identities it never saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg


@dataclass(frozen=True)
class Eval:
    """Judge a model on identities it never saw; print accuracy, the proof of that, and simpler ways beside it."""

    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    part: Literal["validation", "test", "demo"] = "test"
    """Part of the split to judge on."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/facet-eval")
    """Folder for predictions, report.md, report.json and confusion.png."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluation.synthetic import evaluate
        from facet_vlm.predict import load

        self.output.mkdir(parents=True, exist_ok=True)
        done = evaluate(load(self.model, self.device), self.part, self.output)
        return done.summary() | {"report": str(self.output)}
