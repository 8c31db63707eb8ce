"""`aublend train-landmarks`: the weights of `mesh4d landmarks`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from aublend.commands.synth import SynthSet


@dataclass(frozen=True)
class TrainLandmarks:
    """Train the landmark networks on the embedded head's identities and expressions (half an hour on one core).

    AUBlendSet is built first when its file is missing or was made from other unit shapes.
    """

    data: Path = Path("runs/aublendset.npz")
    output: Annotated[Path, arg(aliases=["-o"])] = Path("runs/landmarks/landmarks.safetensors")
    seed: int = 0
    hurry: float = 1.0
    """Share of the training steps to take, for trials."""

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.blendset import recipe_of, stored_recipe
        from aublend.landmark_training.run import train_and_save

        if stored_recipe(self.data) != recipe_of(head_model()):
            SynthSet(self.data).run()
        return train_and_save(self.data, self.output, self.seed, self.hurry)
