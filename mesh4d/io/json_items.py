"""Typed access to JSON objects from strangers: each getter says which field of which file is wrong."""

import json
import math
from dataclasses import dataclass

from mesh4d.errors import MeshFormatError


@dataclass(frozen=True)
class Item:
    """One JSON object and where it stands in its file."""

    fields: dict[str, object]
    source: str
    place: str = "JSON"

    def error(self, key: str, expected: str, found: object) -> MeshFormatError:
        """What to raise about one field."""
        return MeshFormatError(self.source, f"{self.place}.{key}", expected, repr(found)[:80])

    def has(self, key: str) -> bool:
        return key in self.fields

    def integer(self, key: str, default: int | None = None, *, below: int = 1 << 53) -> int:
        """A whole number from 0 to `below` - 1; without a default the field must be there."""
        value = self.fields.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < below:
            raise self.error(key, f"a whole number from 0 to {below - 1}", value)
        return value

    def numbers(self, key: str, default: list[float]) -> list[float]:
        """As many finite numbers as `default` has."""
        value = self.fields.get(key, default)
        if not isinstance(value, list) or len(value) != len(default) or not all(map(_is_number, value)):
            raise self.error(key, f"{len(default)} finite numbers", value)
        return [float(number) for number in value]

    def text(self, key: str, default: str = "") -> str:
        value = self.fields.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, "text", value)
        return value

    def flag(self, key: str) -> bool:
        """True or false; false when absent."""
        return self.fields.get(key) is True

    def item(self, key: str) -> "Item":
        """A JSON object; an empty one when absent."""
        value = self.fields.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "an object", value)
        return Item(value, self.source, f"{self.place}.{key}")

    def items(self, key: str) -> "list[Item]":
        """A list of JSON objects; empty when absent."""
        values = self.fields.get(key, [])
        if not isinstance(values, list):
            raise self.error(key, "a list", values)
        found: list[Item] = []
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(f"{key}[{number}]", "an object", value)
            found.append(Item(value, self.source, f"{self.place}.{key}[{number}]"))
        return found

    def integers(self, key: str, *, below: int) -> list[int]:
        """A list of whole numbers from 0 to `below` - 1; empty when absent."""
        values = self.fields.get(key, [])
        if not isinstance(values, list):
            raise self.error(key, "a list", values)
        return [Item({key: value}, self.source, self.place).integer(key, below=below) for value in values]

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty when absent."""
        values = self.fields.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.error(key, "a list of texts", values)
        return [value for value in values if isinstance(value, str)]


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) < 1e300 and math.isfinite(value)


def parse_json(content: bytes, source: str) -> Item:
    """The JSON object in `content`.

    Raises:
        MeshFormatError: not JSON, not an object, nested too deep, NaN or Infinity.
    """

    def refuse(word: str) -> float:
        raise ValueError(f"{word} is not JSON")

    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise MeshFormatError(source, "JSON", "a valid document", str(error)) from error
    if not isinstance(value, dict):
        raise MeshFormatError(source, "JSON", "an object", type(value).__name__)
    return Item(value, source)
