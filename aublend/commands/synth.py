"""`aublend synth`: the data that models learn from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitSubcommandPrefixes, arg, subcommand

from aublend.commands.synth_expressions import SynthExpressions
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class SynthSet:
    """Build AUBlendSet: neutral heads of the embedded model, their 32 AU shapes, and postures with exact weights.

    A data card (.json, .md) and a picture are written beside it.
    """

    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/aublendset.npz")
    identities: int | None = None
    """How many seeds from 0; by default those of the split aublendset (400 train, 50 validation, 50 test)."""

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.blendset import build_blendset, write_blendset
        from aublend.blendset_card import write_blendset_card
        from mesh4d.specs import load_split

        if self.identities is not None and self.identities < 1:
            raise MeshError(f"--identities must be at least 1, found {self.identities}")
        parts = load_split("aublendset")
        seeds = [int(s) for name in ("train", "validation", "test") for s in parts[name]]
        model = head_model()
        blendset = build_blendset(model, seeds if self.identities is None else range(self.identities))
        self.output.parent.mkdir(parents=True, exist_ok=True)
        write_blendset(blendset, self.output)
        card, *_ = write_blendset_card(blendset, model, self.output)
        return {
            "set": str(self.output),
            "card": str(card),
            "identities": len(blendset.seeds),
            "digest": blendset.digest(),
        }


SynthCommand = Annotated[SynthSet, subcommand("set")] | Annotated[SynthExpressions, subcommand("expressions")]


@dataclass(frozen=True)
class Synth:
    """Make data: AUBlendSet (set), or labelled 3D and 4D expressions (expressions)."""

    what: OmitSubcommandPrefixes[SynthCommand]

    def run(self) -> dict[str, object]:
        return self.what.run()
