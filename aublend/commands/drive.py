"""`aublend drive`: pose or animate a rig."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from aublend.commands.animation import write_animation
from mesh4d.errors import MeshError


@dataclass(frozen=True)
class Drive:
    """Pose a rig with action units, an emotion or a point of the emotion pad, or animate it with curves."""

    rig: Positional[Path]
    """A rig written by `aublend rig`."""
    au: tuple[str, ...] = ()
    """Weights such as AU12=0.8 AU4L=0.3 AU1C (a letter is an intensity)."""
    emotion: str | None = None
    """happiness, sadness, surprise, fear, anger, disgust or contempt."""
    intensity: float = 1.0
    """Of the emotion, 0 to 1."""
    valence: float | None = None
    """Of the emotion pad, -1 (unpleasant) to 1 (pleasant); 0 where only the other is given."""
    arousal: float | None = None
    """Of the emotion pad, -1 (asleep) to 1 (excited)."""
    curves: Path | None = None
    """Curves instead of one pose: our CSV, Live Link Face, OpenFace 2 or 3, or py-feat, told apart by their header."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """posed.obj for a pose; for curves animated.glb or USD (morph targets and weights), another sequence format, or a
    name without suffix: a folder of numbered OBJ files."""

    def run(self) -> dict[str, object]:
        from aublend import read_curves, read_rig
        from mesh4d import write_mesh

        if self.curves is not None:
            if self.au or self.emotion or self._on_pad:
                raise MeshError("--curves: expected no --au, --emotion, --valence or --arousal beside it")
            curves, output = read_curves(self.curves), self.output or Path("animated.glb")
            write_animation(read_rig(self.rig), curves, output)
            return {"animation": str(output), "frames": len(curves), "fps": curves.fps}
        weights, output = self._weights(), self.output or Path("posed.obj")
        write_mesh(read_rig(self.rig).drive(weights), output)
        return {"mesh": str(output), "weights": weights}

    @property
    def _on_pad(self) -> bool:
        return self.valence is not None or self.arousal is not None

    def _weights(self) -> dict[str, float]:
        from aublend import emotion_weights, pad_weights

        if not 0 <= self.intensity <= 1:
            raise MeshError(f"--intensity must be 0 to 1, found {self.intensity}")
        if self.emotion and self._on_pad:
            raise MeshError("expected --emotion, or --valence and --arousal, found both")
        weights = emotion_weights(self.emotion, self.intensity) if self.emotion else {}
        if self._on_pad:
            weights = pad_weights(self.valence or 0.0, self.arousal or 0.0)
        for entry in self.au:
            name, _, value = entry.partition("=")
            try:
                weights[name] = float(value) if value else 1.0
            except ValueError as error:
                raise MeshError(f"--au {entry}: expected NAME=NUMBER such as AU12=0.8") from error
        return weights
