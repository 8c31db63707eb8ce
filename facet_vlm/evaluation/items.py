"""Items: what learners may know of records. Sequences are brought to one moment or mean; labels are kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from facet_vlm.evaluation.features import FeatureTable

Pooling = Literal["apex", "mean", "max"]
"""Over the frames of a sequence. apex: the frame that looks least neutral to the model, for all learners alike."""


@dataclass(frozen=True)
class Items:
    """One row per record, without its label."""

    views: Float[np.ndarray, "B N D"]
    """Towers' global features, pooled over time."""
    patches: Float[np.ndarray, "B N C h w"]
    failed: Bool[np.ndarray, " B"]
    """No frame could be read and aligned."""
    landmarks: Float[np.ndarray, "B P"] | None = None
    """68 points in the face frame; NaN where none were found."""
    units: Float[np.ndarray, "B U"] | None = None
    """Halves of 32 action units; NaN where registration failed."""
    frames: tuple[tuple[int, ...], ...] = ()
    """Rows of each record's readable frames in `table`, in order of time: for learners that look at motion."""
    table: FeatureTable | None = None
    places: Int[np.ndarray, " B"] | None = None
    """Of each record among all of the run: for learners that learn nothing and have judged them all before."""

    def __len__(self) -> int:
        return len(self.failed)

    def take(self, rows: Int[np.ndarray, " B"]) -> "Items":
        """Some of the records, in that order."""
        return Items(
            self.views[rows],
            self.patches[rows],
            self.failed[rows],
            None if self.landmarks is None else self.landmarks[rows],
            None if self.units is None else self.units[rows],
            tuple(self.frames[row] for row in rows) if self.frames else (),
            self.table,
            None if self.places is None else self.places[rows],
        )


@dataclass(frozen=True)
class Examples:
    """Records to learn from."""

    items: Items
    targets: Float[np.ndarray, "B K"]
    known: Bool[np.ndarray, "B K"]
    """False: the label is unknown and `targets` is 0 there."""
    people: tuple[str, ...]
    """Whose record each is."""
    exclusive: bool
    """Exactly one label holds for a record: scores are a softmax. Otherwise each label is told by itself."""

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: Int[np.ndarray, " B"]) -> "Examples":
        """Some of the examples, in that order."""
        people = tuple(self.people[row] for row in rows)
        return replace(
            self, items=self.items.take(rows), targets=self.targets[rows], known=self.known[rows], people=people
        )

    def without_failures(self) -> "Examples":
        """Those that could be read."""
        return self.take(np.flatnonzero(~self.items.failed))


def pooled_items(
    table: FeatureTable, frames: Sequence[tuple[int, ...]], neutrality: Float[np.ndarray, " R"], pooling: Pooling
) -> Items:
    """Records from the features of their frames.

    Args:
        table: features of all meshes.
        frames: each record's rows, in order of time.
        neutrality: probability of the neutral expression of every row, by the frozen model.
        pooling: frames that could not be read are left out of it.
    """
    good = _readable(table, frames)
    failed = np.array([not rows for rows in good])
    some = [rows or frames[place][:1] for place, rows in enumerate(good)]
    if pooling == "apex" or all(len(rows) == 1 for rows in some):
        chosen = apex_rows(table, frames, neutrality)
        views, patches = np.asarray(table.views[chosen]), np.asarray(table.patches[chosen])
    else:
        pool = np.mean if pooling == "mean" else np.max
        views = np.stack([pool(table.views[list(rows)], axis=0) for rows in some])
        patches = np.stack([pool(table.patches[list(rows)], axis=0) for rows in some])
    return Items(views, patches, failed, frames=good, table=table, places=np.arange(len(frames)))


def apex_rows(table: FeatureTable, frames: Sequence[tuple[int, ...]], neutrality: Float[np.ndarray, " R"]) -> list[int]:
    """The row that speaks for each record: of its readable frames the least neutral one."""
    some = [rows or frames[place][:1] for place, rows in enumerate(_readable(table, frames))]
    return [rows[int(np.argmin(neutrality[list(rows)]))] for rows in some]


def _readable(table: FeatureTable, frames: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row for row in rows if not table.failed[row]) for rows in frames)


def pooled_values(
    values: Float[np.ndarray, "R P"], frames: Sequence[tuple[int, ...]], pooling: Pooling
) -> Float[np.ndarray, "B P"]:
    """What peers look at, pooled like the features; NaN rows are left out, a record without others stays NaN.

    Args:
        frames: rows of each record; of pooling by the apex that frame alone.
    """
    pooled = np.full((len(frames), values.shape[1]), np.nan, np.float32)
    for place, rows in enumerate(frames):
        good = [row for row in rows if np.isfinite(values[row]).all()]
        if good:
            pooled[place] = (np.max if pooling == "max" else np.mean)(values[good], axis=0)
    return pooled
