"""Train a preset from nothing."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class Train:
    """Train a preset from nothing: synthesise faces, render them, train, write weights.

    The identities are those of data_specs/splits: its part 'train' to learn from, 'validation' to choose the epoch, and
    'test' once at the end, for the model card. The run folder keeps the configuration, the rendered data, a checkpoint,
    TensorBoard events, the weights with their card, and the report. A run that was cut off goes on when the same
    command is given again.
    """

    preset: str = "facet-mini"
    """Configuration to train: facet-mini (3D), then facet-mini-4d (sequences) on its weights."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Run folder; runs/PRESET by default."""
    epochs: int | None = None
    """Fewer or more passes than the preset's; the weights then differ from the shipped ones."""
    device: str = "auto"
    """'auto', 'cpu' or 'cuda'."""

    def run(self) -> dict[str, object]:
        from facet_vlm.config import preset
        from facet_vlm.config_4d import PRESETS_4D
        from facet_vlm.training.run import run_training

        command = f"facet-vlm train --preset {self.preset}"
        if self.preset in PRESETS_4D:
            return self._run_temporal(command)
        config = preset(self.preset)
        if self.epochs is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=self.epochs))
            command += f" --epochs {self.epochs}"
        done = run_training(config, self.output or Path("runs") / self.preset, command, self.device)
        if done is None:
            return {"status": "the leading process writes the weights"}
        return {"weights": str(done.weights), **done.card.metrics}

    def _run_temporal(self, command: str) -> dict[str, object]:
        """As `run`, for the temporal module on the 3D weights that the package ships."""
        from facet_vlm.config_4d import preset_4d
        from facet_vlm.training.temporal_run import run_temporal_training

        config = preset_4d(self.preset)
        if self.epochs is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=self.epochs))
            command += f" --epochs {self.epochs}"
        done = run_temporal_training(config, self.output or Path("runs") / self.preset, command)
        return {"weights": str(done.weights), **done.card.metrics}
