"""What can go wrong with a user's input. Every class is a ValueError, so one except clause suffices."""

from os import PathLike


class MeshError(ValueError):
    """Base of the errors that a user's data can cause."""


class MeshFormatError(MeshError):
    """A file is not what its format says.

    Args:
        source: the file (or a name for a byte stream).
        place: line, field or chunk where reading stopped.
        expected: what the format asks for there.
        found: what came instead.
    """

    def __init__(self, source: str | PathLike[str], place: str, expected: str, found: str) -> None:
        self.source, self.place, self.expected, self.found = str(source), place, expected, found
        super().__init__(f"{source}: {place}: expected {expected}, found {found}")


class TopologyError(MeshError):
    """Two meshes that must share vertices or faces do not."""


class NoFaceError(MeshError):
    """A mesh holds nothing that can be brought into correspondence with a face."""


class SplitError(MeshError):
    """A subject stands in more than one part of a split, or a split names an unknown subject."""


class SpecError(MeshError):
    """A file in data_specs contradicts itself or another one."""
