"""`aublend eval`: how good predicted rigs are."""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Eval:
    """Compare predicted rigs with the ground truth on held-out identities, per unit, beside the baselines."""

    part: Literal["validation", "test"] = "test"

    def run(self) -> dict[str, object]:
        from aublend.evaluation import evaluate_rigs, score_table
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.specs import load_split

        parts = load_split("aublendset")
        scores = evaluate_rigs([int(seed) for seed in parts[self.part]])
        return {
            "protocol": f"aublendset/{self.part}",
            "proof": prove_disjoint(parts),
            "table": score_table(scores),
            "mean_mm": {s.method: float(np.mean(s.mean_mm)) for s in scores},
        }
