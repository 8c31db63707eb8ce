"""The commands `mesh4d dataset ...`: index, validate, split and mimic data sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitSubcommandPrefixes, Positional, arg, subcommand

from mesh4d.errors import MeshError

Kind = Literal["bu3dfe", "bosphorus", "bu4dfe", "bp4d", "4dme", "synthetic"]


@dataclass(frozen=True)
class Validate:
    """Report what a copy of a data set holds and what is amiss: counts, missing, unreadable, duplicates, checksums.

    Give the kind and the folder (`validate bu3dfe ROOT`), or the folder alone, and its layout says the kind.
    """

    target: Positional[tuple[str, ...]]
    """KIND and ROOT, or ROOT."""
    read: Literal["none", "first", "all"] = "first"
    """Read no mesh, the first frame of each record, or all frames."""
    contents: bool = False
    """Hash all files: as long as reading the data set once."""
    option: tuple[str, ...] = ()
    """Options of the kind, such as pattern={subject}/{clip}/{frame}.obj or mesh=RAW."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.registry import detect_kind, open_dataset
        from mesh4d.datasets.validate import report_text, validate_dataset

        if len(self.target) not in (1, 2):
            raise MeshError(f"expected KIND and ROOT, or ROOT, found {len(self.target)} arguments")
        kind = self.target[0] if len(self.target) == 2 else detect_kind(self.target[0])
        dataset = open_dataset(kind, self.target[-1], keep_going=True, **options_of(self.option))
        report = validate_dataset(dataset, depth=self.read, contents=self.contents)
        return {"table": report_text(report), "details": report.to_json()}


@dataclass(frozen=True)
class Index:
    """Write the table of a data set's records as Parquet, with its hash beside it."""

    kind: Positional[Kind]
    root: Positional[Path]
    output: Annotated[Path, arg(aliases=["-o"])] = Path("records.parquet")
    keep_going: bool = False
    """Leave contradictory or incomplete records out instead of refusing the copy."""
    option: tuple[str, ...] = ()
    """Options of the kind, such as mesh=RAW."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.registry import open_dataset

        dataset = open_dataset(self.kind, self.root, keep_going=self.keep_going, **options_of(self.option))
        digest = dataset.to_parquet(self.output)
        return {
            "table": f"{len(dataset)} records of {len(dataset.subjects)} subjects -> {self.output}\nsha256 {digest}",
            "details": {
                "output": str(self.output),
                "records": len(dataset),
                "subjects": dataset.subjects,
                "sha256": digest,
                "notes": [str(problem) for problem in dataset.problems],
            },
        }


@dataclass(frozen=True)
class Split:
    """Print the folds of a protocol on a copy of a data set, each with the proof that no subject is in two parts."""

    name: Positional[str]
    """Of data_specs/protocols, such as bu3dfe-p1."""
    kind: Positional[Kind]
    root: Positional[Path]
    test_root: Path | None = None
    """The data set to test on, for a cross-data-set protocol."""
    reduced: bool = False
    """Take what subjects there are; the folds' names then say that this is not the protocol."""
    repeats: int | None = None
    """Only so many rounds."""
    keep_going: bool = False
    """Leave contradictory or incomplete records out instead of refusing the copy."""
    option: tuple[str, ...] = ()
    """Options of the kind."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.protocols import protocol
        from mesh4d.datasets.registry import open_dataset

        chosen = protocol(self.name)
        dataset = open_dataset(self.kind, self.root, keep_going=self.keep_going, **options_of(self.option))
        tested = None
        if self.test_root is not None:
            tested = open_dataset(chosen.test_dataset or chosen.dataset, self.test_root, keep_going=self.keep_going)
        folds = chosen.folds(dataset, tested, repeats=self.repeats, reduced=self.reduced)
        return {
            "table": chosen.describe(folds),
            "details": {
                "protocol": self.name,
                "unverified": chosen.unverified,
                "folds": [
                    {"name": f.name, "train": f.train_subjects, "test": f.test_subjects, "proof": f.proof}
                    for f in folds
                ],
            },
        }


@dataclass(frozen=True)
class Mimic:
    """Write a synthetic copy of a data set in its real layout and byte formats, from scanned synthetic heads."""

    kind: Positional[Kind]
    out: Positional[Path]
    subjects: int = 4
    seed: int = 0
    frames: int = 12
    """Per sequence."""
    step_mm: float = 2.0
    """Distance of the scanner's samples; 0.75 gives meshes as dense as real ones."""
    picture_px: int = 256
    """Side of each texture picture."""
    quirks: bool = True
    """With the stray files, absent frames, line ends and paddings that the real distributions have."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.mimic import installed_actor, write_mimic
        from mesh4d.datasets.performance import MimicPlan
        from mesh4d.datasets.scan import ScanStyle

        scan = ScanStyle(step_mm=self.step_mm, picture_px=self.picture_px)
        plan = MimicPlan(self.subjects, self.seed, self.frames, scan=scan, quirks=self.quirks)
        count = write_mimic(self.kind, self.out, installed_actor(), plan)
        return {"folder": str(self.out), "kind": self.kind, "subjects": self.subjects, "records": count}


def options_of(texts: tuple[str, ...]) -> dict[str, object]:
    """NAME=VALUE arguments; numbers become numbers, "a,b" of numbers a pair.

    Raises:
        MeshError: text without "=".
    """
    options: dict[str, object] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise MeshError(f"--option {text}: expected NAME=VALUE such as mesh=RAW")
        options[name] = _value(value)
    return options


def _value(text: str) -> object:
    parts = text.split(",")
    if all(part.strip().lstrip("-").isdecimal() for part in parts):
        numbers = tuple(int(part) for part in parts)
        return numbers if len(parts) > 1 else int(text)
    try:
        return float(text)
    except ValueError:
        return text


DatasetCommand = (
    Annotated[Validate, subcommand("validate")]
    | Annotated[Index, subcommand("index")]
    | Annotated[Split, subcommand("protocol")]
    | Annotated[Mimic, subcommand("mimic")]
)


@dataclass(frozen=True)
class DatasetGroup:
    """Index, validate, split and mimic data sets of 3D and 4D faces."""

    action: OmitSubcommandPrefixes[DatasetCommand]

    def run(self) -> dict[str, object]:
        return dict(self.action.run())
