"""The command `aublend`: rigs from heads, heads from rigs, and the weights behind them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, Positional, arg, subcommand

from mesh4d.command import run_command
from mesh4d.errors import MeshError


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
        from mesh4d import read_mesh

        rig = predict_rig(read_mesh(self.head), self.method)
        write_rig(rig, self.output)
        return {"rig": str(self.output), "vertices": rig.neutral.n_vertices, "units": len(rig.au_names)}


@dataclass(frozen=True)
class Drive:
    """Pose a rig with action units or an emotion and write the mesh."""

    rig: Positional[Path]
    """A rig written by `aublend rig`."""
    au: tuple[str, ...] = ()
    """Weights such as AU12=0.8 AU4L=0.3 AU1C (a letter is an intensity)."""
    emotion: str | None = None
    """happiness, sadness, surprise, fear, anger, disgust or contempt."""
    intensity: float = 1.0
    """Of the emotion, 0 to 1."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("posed.obj")

    def run(self) -> dict[str, object]:
        from aublend import emotion_weights, read_rig
        from mesh4d import write_mesh

        weights = emotion_weights(self.emotion, self.intensity) if self.emotion else {}
        for entry in self.au:
            name, _, value = entry.partition("=")
            try:
                weights[name] = float(value) if value else 1.0
            except ValueError as error:
                raise MeshError(f"--au {entry}: expected NAME=NUMBER such as AU12=0.8") from error
        write_mesh(read_rig(self.rig).drive(weights), self.output)
        return {"mesh": str(self.output), "weights": weights}


@dataclass(frozen=True)
class Solve:
    """Find the action unit weights behind a mesh or sequence on a rig's topology; write them as CSV."""

    rig: Positional[Path]
    observed: Positional[Path]
    """A mesh, or a sequence (.npz, .glb with an animation)."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("curves.csv")

    def run(self) -> dict[str, object]:
        from aublend import read_rig
        from aublend.curve_files import write_curves
        from mesh4d import MeshFormatError, read_mesh, read_sequence

        try:
            observed = read_sequence(self.observed)
        except MeshFormatError:  # no animation in it: one mesh
            observed = read_mesh(self.observed)
        curves = read_rig(self.rig).solve(observed)
        write_curves(curves, self.output)
        return {"curves": str(self.output), "frames": len(curves)}


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


def main() -> None:
    """Entry point of the console command."""
    arguments = tyro.cli(Arguments, prog="aublend", config=(CascadeSubcommandArgs,))
    run_command(arguments.command.run, as_json=arguments.json)
