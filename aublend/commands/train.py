"""`aublend train`: AUBlendNet's weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from aublend.commands.synth import SynthSet


@dataclass(frozen=True)
class Train:
    """Train AUBlendNet on AUBlendSet and write weights with their card.

    The set is built first when its file is missing or was made from other unit shapes.
    """

    data: Path = Path("runs/aublendset.npz")
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/aublendnet/aublendnet.safetensors")
    steps: int = 1500
    seed: int = 0

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.blendset import recipe_of, stored_recipe
        from aublend.training_run import train_and_save

        if stored_recipe(self.data) != recipe_of(head_model()):
            SynthSet(self.data).run()
        return train_and_save(self.data, self.output, self.steps, self.seed)
