"""`aublend page`: pages that are generated from the facts and shapes they describe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


@dataclass(frozen=True)
class Page:
    """Write docs/action_units.md: every action unit from three sides beside its FACS description."""

    what: Positional[Literal["units"]] = "units"
    """The 32 action units, and the pairs that do not simply add."""
    output: Annotated[Path, arg(aliases=["-o"])] = Path("docs")
    """The folder to write to."""
    seed: int = 503
    """The identity that shows them; 503 is one of the demo identities of the split aublendset."""

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.action_unit_page import write_unit_page

        return write_unit_page(head_model(), self.seed, self.output)
