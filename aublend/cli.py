"""The command `aublend`: rigs from heads, heads from rigs, and the weights behind them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, Positional, arg, subcommand

from mesh4d.command import run_command
from mesh4d.errors import MeshError

if TYPE_CHECKING:
    from aublend import AUCurves, AURig


@dataclass(frozen=True)
class Rig:
    """Give a head its own 32 action units and write the rig (.glb for animators, .npz for numpy)."""

    head: Positional[Path]
    """A neutral head: .obj, .ply, .glb or .npz, of any topology."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("rig.glb")
    method: Literal["net", "transfer", "mean"] = "net"
    """net: AUBlendNet. transfer, mean: its baselines."""

    def run(self) -> dict[str, object]:
        from aublend import predict_rig, write_rig
        from mesh4d import NoFaceError, read_mesh

        try:
            rig = predict_rig(read_mesh(self.head), self.method)
        except NoFaceError as error:
            raise NoFaceError(f"{self.head}: {error}") from error
        write_rig(rig, self.output)
        return {"rig": str(self.output), "vertices": rig.neutral.n_vertices, "units": len(rig.au_names)}


@dataclass(frozen=True)
class Drive:
    """Pose a rig with action units or an emotion and write the mesh, or animate it with curves."""

    rig: Positional[Path]
    """A rig written by `aublend rig`."""
    au: tuple[str, ...] = ()
    """Weights such as AU12=0.8 AU4L=0.3 AU1C (a letter is an intensity)."""
    emotion: str | None = None
    """happiness, sadness, surprise, fear, anger, disgust or contempt."""
    intensity: float = 1.0
    """Of the emotion, 0 to 1."""
    curves: Path | None = None
    """Curves instead of one pose: our CSV, Live Link Face, OpenFace 2 or py-feat, told apart by their header."""
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """posed.obj for a pose; animated.glb (morph targets and weights) or another sequence format for curves."""

    def run(self) -> dict[str, object]:
        from aublend import read_curves, read_rig
        from mesh4d import write_mesh

        if self.curves is not None:
            if self.au or self.emotion:
                raise MeshError("--curves: expected no --au and no --emotion beside it")
            curves, output = read_curves(self.curves), self.output or Path("animated.glb")
            _write_animation(read_rig(self.rig), curves, output)
            return {"animation": str(output), "frames": len(curves), "fps": curves.fps}
        weights, output = self._weights(), self.output or Path("posed.obj")
        write_mesh(read_rig(self.rig).drive(weights), output)
        return {"mesh": str(output), "weights": weights}

    def _weights(self) -> dict[str, float]:
        from aublend import emotion_weights

        if not 0 <= self.intensity <= 1:
            raise MeshError(f"--intensity must be 0 to 1, found {self.intensity}")
        weights = emotion_weights(self.emotion, self.intensity) if self.emotion else {}
        for entry in self.au:
            name, _, value = entry.partition("=")
            try:
                weights[name] = float(value) if value else 1.0
            except ValueError as error:
                raise MeshError(f"--au {entry}: expected NAME=NUMBER such as AU12=0.8") from error
        return weights


@dataclass(frozen=True)
class Solve:
    """Find the action unit weights behind a mesh or sequence on a rig's topology; write them as CSV.

    Units whose halves differ get two columns, AU12L and AU12R.
    """

    rig: Positional[Path]
    observed: Positional[Path]
    """A mesh, or a sequence (.npz, .glb with an animation)."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("curves.csv")
    format: Literal["au", "livelink", "openface"] = "au"
    """au: ours. livelink: Live Link Face's 52 ARKit shapes. openface: OpenFace 2's 17 units, without sides."""

    def run(self) -> dict[str, object]:
        from aublend import read_rig, write_curves

        curves = _solved(read_rig(self.rig), self.observed)
        write_curves(curves, self.output, self.format)
        return {"curves": str(self.output), "frames": len(curves)}


@dataclass(frozen=True)
class Retarget:
    """Solve a sequence on its own rig and play the same action units on another rig."""

    source: Positional[Path]
    """The rig of the head in the sequence."""
    sequence: Positional[Path]
    """A mesh or sequence with that rig's vertices."""
    target: Positional[Path]
    """The rig to animate, of any topology."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("retargeted.glb")
    """.glb (morph targets and weights) or another sequence format."""
    curves: Path | None = None
    """Where to write the action unit curves as well (.csv)."""

    def run(self) -> dict[str, object]:
        from aublend import read_rig, write_curves

        curves = _solved(read_rig(self.source), self.sequence)
        _write_animation(read_rig(self.target), curves, self.output)
        if self.curves is not None:
            write_curves(curves, self.curves)
        return {"animation": str(self.output), "frames": len(curves), "fps": curves.fps}


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


@dataclass(frozen=True)
class Eval:
    """Compare predicted rigs with the ground truth on held-out identities, per unit, beside the baselines."""

    part: Literal["validation", "test"] = "test"

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.evaluate import evaluate_rigs, score_table
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.specs import load_split

        parts = load_split("aublendset")
        scores = evaluate_rigs(head_model(), [int(seed) for seed in parts[self.part]])
        return {
            "protocol": f"aublendset/{self.part}",
            "proof": prove_disjoint(parts),
            "table": score_table(scores),
            "mean_mm": {s.method: float(np.mean(s.mean_mm)) for s in scores},
        }


Command = (
    Annotated[Rig, subcommand("rig")]
    | Annotated[Drive, subcommand("drive")]
    | Annotated[Solve, subcommand("solve")]
    | Annotated[Retarget, subcommand("retarget")]
    | Annotated[Synth, subcommand("synth")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Eval, subcommand("eval")]
)


@dataclass(frozen=True)
class Arguments:
    """Action unit rigs for any head."""

    command: OmitSubcommandPrefixes[Command]
    json: bool = field(default=False)
    """Print the result as JSON."""


def _solved(rig: "AURig", observed: Path) -> "AUCurves":
    """The curves behind a sequence, or behind a mesh where the file holds no animation."""
    from aublend.solve_halves import solve_halves
    from mesh4d import MeshFormatError, read_mesh, read_sequence

    try:
        return solve_halves(rig, read_sequence(observed))
    except MeshFormatError:
        return solve_halves(rig, read_mesh(observed))


def _write_animation(rig: "AURig", curves: "AUCurves", output: Path) -> None:
    """Curves on a rig: as morph target weights in a .glb, as frames in any other sequence format."""
    from aublend import write_rig
    from mesh4d import write_sequence

    if output.suffix == ".glb":
        write_rig(rig, output, curves)
    else:
        write_sequence(rig.animate(curves), output)


def main() -> None:
    """Entry point of the console command."""
    arguments = tyro.cli(Arguments, prog="aublend", config=(CascadeSubcommandArgs,))
    run_command(arguments.command.run, as_json=arguments.json)
