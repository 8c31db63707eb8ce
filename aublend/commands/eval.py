"""`aublend eval`: how good what `aublend` makes is."""

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import OmitSubcommandPrefixes, subcommand

from aublend.commands.eval_head import EvalHead
from aublend.commands.eval_rigs import EvalRigs
from aublend.commands.eval_speech import EvalSpeech

EvalCommand = (
    Annotated[EvalRigs, subcommand("rigs")]
    | Annotated[EvalHead, subcommand("head")]
    | Annotated[EvalSpeech, subcommand("speech")]
)


@dataclass(frozen=True)
class Eval:
    """Judge rigs on held-out identities beside baselines (rigs), the anatomy of one head's rig (head), or speech."""

    what: OmitSubcommandPrefixes[EvalCommand]

    def run(self) -> dict[str, object]:
        return self.what.run()
