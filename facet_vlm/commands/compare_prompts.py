"""What prompt learning adds, part by part."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class ComparePrompts:
    """Compare hard, soft and aligned prompts, adapter, prototypes and patches on gestures, from few shots.

    Also plays the pointing game: whether the patches that speak for a label show what moved.
    """

    model: str = "facet-mini"
    """A shipped preset, or a .safetensors file."""
    shots: int = 4
    """Identities per seed, each showing every gesture once."""
    seeds: int = 3
    subjects: int = 10
    """Held-out identities to judge on."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/prompts")
    """Folder for comparison.md and comparison.json."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.evaluation.prompt_comparison import compare_prompts
        from facet_vlm.predict import load
        from mesh4d.io.atomic import atomic_write

        done = compare_prompts(load(self.model, self.device), self.shots, self.seeds, self.subjects)
        self.output.mkdir(parents=True, exist_ok=True)
        details = dataclasses.asdict(done)
        for name, text in (("comparison.md", done.to_markdown()), ("comparison.json", json.dumps(details, indent=1))):
            with atomic_write(self.output / name, text=True) as file:
                file.write(text)
        return {"table": done.to_markdown(), "details": details, "report": str(self.output)}
