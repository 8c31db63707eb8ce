"""`aublend eval head`: whether the rig of one head is sound."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True)
class EvalHead:
    """Measure the anatomy of a head's predicted rig: lids and lips that meet, eyeballs and skin that stay apart."""

    mesh: Positional[Path]
    """Any head, neutral, in any topology."""
    method: Literal["net", "transfer", "mean"] = "net"

    def run(self) -> dict[str, object]:
        from aublend.evaluation import head_table, measure_head, measures_by_name
        from aublend.registration import fit_head
        from mesh4d import read_mesh

        units, pairs = measure_head(fit_head(read_mesh(self.mesh)), self.method)
        return {
            "head": str(self.mesh),
            "method": self.method,
            "table": head_table(units, pairs),
            "details": measures_by_name(units, pairs),
        }
