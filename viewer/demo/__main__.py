"""`python -m viewer.demo`: what `make demo` runs once everything is installed."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from mesh4d.command import run_command


@dataclass(frozen=True)
class Demo:
    """Give a head its action units, drive it, render it, recognise it, and write a page about it."""

    head: Path | None = None
    """A neutral head of any topology (.obj, .ply, .glb, .npz); by default one of the embedded model's demo heads."""
    out: Path = Path("out/demo")
    """Folder for the page and its files."""
    identities: int = 25
    """Held-out identities for the confusion matrix and the rig errors."""

    def run(self) -> dict[str, object]:
        """Run the loop; the result names the page."""
        from viewer.demo.loop import run_loop

        return {"page": run_loop(self.head, self.out, self.identities)}


if __name__ == "__main__":
    run_command(tyro.cli(Demo, prog="python -m viewer.demo").run, as_json=False)
