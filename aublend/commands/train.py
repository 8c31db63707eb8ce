"""`aublend train`: AUBlendNet's weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from aublend.commands.synth import Synth


@dataclass(frozen=True)
class Train:
    """Train AUBlendNet on AUBlendSet (built first when the file is missing) and write weights with their card."""

    data: Path = Path("runs/aublendset.npz")
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/aublendnet/aublendnet.safetensors")
    steps: int = 1500
    seed: int = 0

    def run(self) -> dict[str, object]:
        from aublend.training_run import train_and_save

        if not self.data.exists():
            Synth(self.data).run()
        return train_and_save(self.data, self.output, self.steps, self.seed)
