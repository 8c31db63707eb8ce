"""Ask a model for labels by sentences alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class ZeroShotOf:
    """Ask a model for labels by sentences alone: accuracy, recall and AUC over several wordings, mean and worst.

    The wordings are those of data_specs/zero_shot.toml. `gestures` are a wink, a kiss and others that no training
    names; `contempt` is zero-shot only for a model that was trained without it.
    """

    what: Positional[str] = "gestures"
    """'gestures', or an expression of zero_shot.toml."""
    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    part: str = "test"
    """Part of the split whose identities are judged."""
    subjects: int = 20
    """Identities, at most."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/zero-shot")
    """Folder for WHAT.md and WHAT.json."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluation.zero_shot import expression_by_sentences, gestures_by_sentences
        from facet_vlm.predict import load

        model = load(self.model, self.device)
        if self.what == "gestures":
            report = gestures_by_sentences(model, self.part, self.subjects)
        else:
            report = expression_by_sentences(model, self.what, self.part, self.subjects)
        self.output.mkdir(parents=True, exist_ok=True)
        report.write(self.output, self.what)
        return {"table": report.to_markdown(), "details": report.summary(), "report": str(self.output)}
