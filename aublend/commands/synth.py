"""`aublend synth`: the data that models learn from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class Synth:
    """Build AUBlendSet: neutral heads of the embedded model with their 32 AU shapes."""

    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/aublendset.npz")
    identities: int = 0
    """How many seeds from 0; by default those of the split aublendset (400 train, 50 validation, 50 test)."""

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.blendset import build_blendset, write_blendset
        from mesh4d.specs import load_split

        parts = load_split("aublendset")
        seeds = [int(s) for name in ("train", "validation", "test") for s in parts[name]]
        blendset = build_blendset(head_model(), range(self.identities) if self.identities else seeds)
        self.output.parent.mkdir(parents=True, exist_ok=True)
        write_blendset(blendset, self.output)
        return {"set": str(self.output), "identities": len(blendset.seeds), "digest": blendset.digest()}
