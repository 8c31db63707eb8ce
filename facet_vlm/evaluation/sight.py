"""What the frozen towers saw of a run's meshes, and which of them speaks for each record."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float

from facet_vlm.evaluation.features import FeatureTable, feature_table, sentence_cosines
from facet_vlm.evaluation.frames import FramePlan, record_key, single_frames
from facet_vlm.evaluation.items import Items, Pooling, apex_rows, pooled_items
from facet_vlm.evaluation.protocol_plan import Prepared, ProtocolPlan, prepared_plan
from facet_vlm.evaluation.reading_store import ReadingStore
from facet_vlm.inference import softmax
from facet_vlm.language.prompts import label_sentences


@dataclass(frozen=True)
class Sight:
    """Features of every mesh of a run."""

    prepared: Prepared
    store: ReadingStore
    """Of the pictures."""
    reasons: tuple[str, ...]
    """Per mesh why it has no pictures, or ""."""
    table: FeatureTable
    rows: tuple[tuple[int, ...], ...]
    """Of each record, its meshes in order of time."""

    @property
    def in_motion(self) -> bool:
        """Some record has several frames."""
        return any(len(some) > 1 for some in self.rows)

    @cached_property
    def neutrality(self) -> Float[np.ndarray, " R"]:
        """Probability of the neutral expression of every mesh, by the frozen model; 0 where there is no motion."""
        if not self.in_motion:
            return np.zeros(len(self.table.failed))
        model, sentences = self.prepared.model, label_sentences()
        cosines = sentence_cosines(model, self.table.views, self.table.patches, sentences)
        return softmax(float(model.network.scale.detach()) * cosines)[:, list(sentences).index("neutral")]

    def items(self) -> Items:
        """The records of the run as learners get them."""
        return pooled_items(self.table, self.rows, self.neutrality, self.prepared.plan.pooling)

    def for_peers(self) -> FramePlan:
        """The meshes that peers look at: where the apex speaks for a sequence, that frame alone."""
        pooling: Pooling = self.prepared.plan.pooling
        frames = self.prepared.frames
        if pooling != "apex" or not self.in_motion:
            return frames
        apexes = apex_rows(self.table, self.rows, self.neutrality)
        keys = map(record_key, self.prepared.records)
        return single_frames(frames, dict(zip(keys, apexes, strict=True)))


@lru_cache(maxsize=1)
def run_sight(plan: ProtocolPlan, token: str) -> Sight:
    """What is seen under a plan whose pictures are taken; made once per process and run (which `token` names)."""
    prepared = prepared_plan(plan, token)
    store = ReadingStore.at(plan.cache_folder, prepared.views)
    reasons = tuple(reason for shard in store.shards(prepared.frames) for reason in shard.reasons)
    table = feature_table(prepared.model, store, prepared.frames, reasons, plan.cache_folder)
    rows = tuple(prepared.frames.rows[record_key(record)] for record in prepared.records)
    return Sight(prepared, store, reasons, table, rows)
