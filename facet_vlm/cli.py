"""The command `facet-vlm`: train, judge and use the expression model."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro
from tyro.conf import CascadeSubcommandArgs, OmitSubcommandPrefixes, subcommand

from facet_vlm.commands.compare_prompts import ComparePrompts
from facet_vlm.commands.eval import Eval
from facet_vlm.commands.predict import Predict
from facet_vlm.commands.probe import Probe
from facet_vlm.commands.prompts import Prompts
from facet_vlm.commands.protocols import Protocols
from facet_vlm.commands.report import ReportOf
from facet_vlm.commands.train import Train
from facet_vlm.commands.vocabulary import Vocabulary
from facet_vlm.commands.zero_shot import ZeroShotOf
from mesh4d.command import reader_may_leave, run_command

Command = (
    Annotated[Train, subcommand("train")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Predict, subcommand("predict")]
    | Annotated[ReportOf, subcommand("report")]
    | Annotated[Probe, subcommand("probe")]
    | Annotated[Protocols, subcommand("protocols")]
    | Annotated[ZeroShotOf, subcommand("zero-shot")]
    | Annotated[Prompts, subcommand("prompts")]
    | Annotated[ComparePrompts, subcommand("compare-prompts")]
    | Annotated[Vocabulary, subcommand("vocabulary")]
)


@dataclass(frozen=True)
class Arguments:
    """Facial expressions of 3D heads by a vision-language model."""

    command: OmitSubcommandPrefixes[Command]
    json: bool = field(default=False)
    """Print the result as JSON."""


def main(args: list[str] | None = None) -> None:
    """Entry point of the console command."""
    with reader_may_leave():
        arguments = tyro.cli(
            Arguments,
            prog="facet-vlm",
            description="Facial expressions of 3D heads by a vision-language model: FACET-VLM on multiview renders.",
            args=args,
            config=(CascadeSubcommandArgs,),
        )
    run_command(arguments.command.run, as_json=arguments.json)


if __name__ == "__main__":
    main()
