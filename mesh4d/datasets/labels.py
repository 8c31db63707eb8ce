"""Data sets' own names for expressions, as canonical labels."""

from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

EXPRESSIONS: tuple[str, ...] = tuple(load_toml("expressions")["order"])
BASIC_EXPRESSIONS: tuple[str, ...] = tuple(load_toml("expressions")["basic"])


def find_label(name: str, dataset: str = "common") -> str | None:
    """The canonical label of a data set's own name for an expression, None for a name that stands for none of them.

    Args:
        name: such as "Happy", "HA" or "E_HAPPY"; case does not matter.
        dataset: a table of data_specs/expressions.toml; names in its table `common` hold for every data set.

    Raises:
        SpecError: for an unknown data set.
    """
    tables = load_toml("expressions")["aliases"]
    if dataset not in tables:
        raise SpecError(f"data_specs/expressions.toml: expected a data set among {sorted(tables)}, found {dataset!r}")
    for table in (tables[dataset], tables["common"]):
        for label, aliases in table.items():
            if name.casefold() in (alias.casefold() for alias in aliases):
                return label
    return None


def canonical_label(name: str, dataset: str = "common") -> str:
    """As `find_label`, for names that must stand for an expression.

    Raises:
        SpecError: for an unknown data set or name.
    """
    label = find_label(name, dataset)
    if label is None:
        raise SpecError(f"expected an expression of {dataset!r}, found {name!r}")
    return label
