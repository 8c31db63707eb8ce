"""Unit names as other programs write them: AU01 for AU1, AU43 where the eyes close."""

import re

from aublend.units import AU_INDEX

SAME_MOVEMENT = {"AU43": "AU45"}
"""AU43 is AU45 held: the same lids."""


def unit_of(text: str) -> str | None:
    """Our name of the unit that `text` (AU01, au1, AU43) means, or None when it is none of the 32."""
    match = re.fullmatch(r"AU0*(\d{1,3}[LR]?)", text.strip().upper())
    if match is None:
        return None
    name = f"AU{match[1]}"
    name = SAME_MOVEMENT.get(name, name)
    return name if name in AU_INDEX else None
