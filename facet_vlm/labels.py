"""The canonical expression labels, and other data sets' names for them."""

from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

EXPRESSIONS: tuple[str, ...] = tuple(load_toml("expressions")["order"])
BASIC_EXPRESSIONS: tuple[str, ...] = tuple(load_toml("expressions")["basic"])


def canonical_label(name: str, dataset: str = "common") -> str:
    """The canonical label of a data set's own name for an expression; case does not matter.

    Args:
        name: such as "Happy", "HA" or "E_HAPPY".
        dataset: a table of data_specs/expressions.toml; names in its table `common` hold for every data set.

    Raises:
        SpecError: for an unknown data set or name.
    """
    tables = load_toml("expressions")["aliases"]
    if dataset not in tables:
        raise SpecError(f"data_specs/expressions.toml: expected a data set among {sorted(tables)}, found {dataset!r}")
    for table in (tables[dataset], tables["common"]):
        for label, aliases in table.items():
            if name.casefold() in (alias.casefold() for alias in aliases):
                return label
    raise SpecError(f"expected an expression of {dataset!r}, found {name!r}")
