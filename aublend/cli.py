"""The command `aublend`: rigs from heads, heads from rigs, and the weights behind them."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, subcommand

from aublend.commands.drive import Drive
from aublend.commands.eval import Eval
from aublend.commands.page import Page
from aublend.commands.retarget import Retarget
from aublend.commands.rig import Rig
from aublend.commands.solve import Solve
from aublend.commands.speak import Speak
from aublend.commands.synth import Synth
from aublend.commands.train import Train
from aublend.commands.train_landmarks import TrainLandmarks
from mesh4d.command import reader_may_leave, run_command

Command = (
    Annotated[Rig, subcommand("rig")]
    | Annotated[Drive, subcommand("drive")]
    | Annotated[Solve, subcommand("solve")]
    | Annotated[Speak, subcommand("speak")]
    | Annotated[Retarget, subcommand("retarget")]
    | Annotated[Synth, subcommand("synth")]
    | Annotated[Train, subcommand("train")]
    | Annotated[TrainLandmarks, subcommand("train-landmarks")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Page, subcommand("page")]
)


@dataclass(frozen=True)
class Arguments:
    """Action unit rigs for any head."""

    command: OmitSubcommandPrefixes[Command]
    json: bool = field(default=False)
    """Print the result as JSON."""


def main() -> None:
    """Entry point of the console command."""
    with reader_may_leave():
        arguments = tyro.cli(Arguments, prog="aublend", config=(CascadeSubcommandArgs,))
    run_command(arguments.command.run, as_json=arguments.json)
