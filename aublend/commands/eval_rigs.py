"""`aublend eval rigs`: how good predicted rigs are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from mesh4d.errors import MeshError


@dataclass(frozen=True)
class EvalRigs:
    """Compare predicted rigs with the ground truth on held-out identities, and both with anatomy, beside baselines."""

    part: Literal["validation", "test"] = "test"
    output: Annotated[Path | None, arg(aliases=["-o"])] = None
    """Write the whole report there, as Markdown."""
    methods: tuple[str, ...] = ("net", "transfer", "transfer+anatomy", "mean", "zero")
    identities: int | None = None
    """Only so many of the part, evenly spread over it."""
    workers: int | None = None
    """Processes; by default one per core."""

    def run(self) -> dict[str, object]:
        from aublend.evaluation import evaluate_rigs, report_markdown, report_tables, summary_table
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.io.atomic import atomic_write
        from mesh4d.specs import load_split
        from mesh4d.threads import thread_count

        parts = load_split("aublendset")
        seeds = [int(seed) for seed in parts[self.part]]
        count = len(seeds) if self.identities is None else self.identities
        if not 1 <= count <= len(seeds):
            raise MeshError(f"--identities must be 1 to {len(seeds)}, found {count}")
        chosen = [seeds[row * len(seeds) // count] for row in range(count)]
        workers = thread_count() if self.workers is None else self.workers
        scores = evaluate_rigs(chosen, self.methods, workers=workers)
        protocol, proof = f"aublendset/{self.part}", prove_disjoint(parts)
        written: dict[str, object] = {}
        if self.output is not None:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(self.output, text=True) as file:
                file.write(report_markdown(scores, protocol, proof))
            written["report"] = str(self.output)
        return {
            "protocol": protocol,
            "identities": len(chosen),
            "proof": proof,
            "table": summary_table(scores),
            "details": report_tables(scores),
            **written,
        }
