"""List who is in which split."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocols:
    """List the committed splits, their parts, and the proof that no subject stands in two parts."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.specs import load_split, specs_folder

        names = sorted(path.stem for path in (specs_folder() / "splits").glob("*.json"))
        return {name: prove_disjoint(load_split(name)) for name in names}
