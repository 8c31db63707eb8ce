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
    seed: int | None = None
    """The identity that shows them; by default the first demo identity of the split aublendset."""

    def run(self) -> dict[str, object]:
        from aublend import head_model
        from aublend.action_unit_page import write_unit_page
        from mesh4d.specs import load_split

        seed = int(load_split("aublendset")["demo"][0]) if self.seed is None else self.seed
        return write_unit_page(head_model(), seed, self.output)
