"""List the protocols, and who is in which split."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocols:
    """List the evaluation protocols with their data sets, and the committed splits of our own faces with the proof
    that no subject stands in two parts."""

    def run(self) -> dict[str, object]:
        from mesh4d.datasets.protocols import protocol, protocol_names
        from mesh4d.datasets.splits import prove_disjoint
        from mesh4d.specs import load_split, specs_folder

        known = [protocol(name) for name in protocol_names()]
        splits = sorted(path.stem for path in (specs_folder() / "splits").glob("*.json"))
        proofs = {name: prove_disjoint(load_split(name)) for name in splits}
        lines = ["protocols (facet-vlm eval --protocol NAME --root FOLDER)"]
        for one in known:
            sets = one.dataset + (f" -> {one.test_dataset}" if one.test_dataset else "")
            lines.append(f"  {one.name:12} {sets:15} {one.title}")
        lines += ["", "splits of synthetic identities", *(f"  {name:12} {proof}" for name, proof in proofs.items())]
        details = [
            {"name": p.name, "title": p.title, "dataset": p.dataset, "test_dataset": p.test_dataset, "task": p.task,
             "classes": p.classes, "folds": p.fold_count, "rounds": p.repeats, "metric": p.metric,
             "unverified": p.unverified}
            for p in known
        ]  # fmt: skip
        return {"table": "\n".join(lines), "details": {"protocols": details, "splits": proofs}}
