"""Synthesised sequences as tokens: made once in parallel processes, kept in one small file."""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from tqdm import tqdm

from facet_vlm.config_4d import SequenceDataConfig, TemporalConfig
from facet_vlm.faces.fingerprint import hash_of_arrays
from facet_vlm.faces.frame_tokens import FrameReader
from facet_vlm.faces.sequences import KINDS, Shot, category_sentences, person_shots
from facet_vlm.language.prompts import label_sentences
from facet_vlm.network.weights import read_weights
from mesh4d.errors import MeshFormatError, SplitError
from mesh4d.io.atomic import atomic_write
from mesh4d.specs import load_split

PARTS = ("train", "validation", "test")
SCANNED = "test_scanned"
"""The people of the part test, each frame of theirs imaged by a range scanner, with a topology of its own."""
FEW_PEOPLE = 2
FIELDS = (
    "tokens", "times_s", "present", "targets", "categories", "halves", "kinds", "intensities", "subjects", "cosines",
)  # fmt: skip


@dataclass(frozen=True)
class SequenceSet:
    """Sequences of at most T frames; the rest of a shorter one is padding."""

    tokens: Float[np.ndarray, "B T S D"] | Shaped[np.ndarray, "B T S D"]
    """Half precision."""
    times_s: Float[np.ndarray, "B T"]
    present: Bool[np.ndarray, "B T"]
    targets: Float[np.ndarray, "B K"]
    """Probability of each canonical expression; all 0 where none is meant."""
    categories: Float[np.ndarray, "B C"]
    halves: Float[np.ndarray, "B 2 A"]
    """Action units at the apex."""
    kinds: Int[np.ndarray, " B"]
    """Row of `sequences.KINDS`."""
    intensities: Float[np.ndarray, " B"]
    subjects: Int[np.ndarray, " B"]
    cosines: Float[np.ndarray, "B T J"] | Shaped[np.ndarray, "B T J"]
    """What the 3D network says of each frame alone: expressions, then categories; for comparison only."""

    def __len__(self) -> int:
        return len(self.subjects)

    def of(self, rows: Int[np.ndarray, " R"] | Bool[np.ndarray, " B"]) -> "SequenceSet":
        """Some of the sequences."""
        return SequenceSet(*(getattr(self, name)[rows] for name in FIELDS))

    def without_magnification(self) -> "SequenceSet":
        """The same with the face's own tokens alone."""
        return replace(self, tokens=self.tokens[:, :, :1])

    def content_hash(self) -> str:
        """SHA-256 over all arrays."""
        return hash_of_arrays({name: getattr(self, name) for name in FIELDS})


def sequence_set(
    part: str,
    data: SequenceDataConfig,
    model: TemporalConfig,
    folder: Path | None = None,
    processes: int | None = None,
) -> SequenceSet:
    """The sequences of one part of the split; made when `folder` does not hold them yet.

    The file's name holds what decides its content, the base's weights included: a tower that was trained anew gets
    new tokens.

    Args:
        part: 'train' acts in any way, with the accidents of scanning; 'validation', 'test' and 'test_scanned' show
            prototypes.
        processes: None is one per core.
    """
    if part not in (*PARTS, SCANNED):
        raise SplitError(f"expected a part among {', '.join((*PARTS, SCANNED))}, found {part!r}")
    source = part.removesuffix("_scanned")
    people = [int(seed) for seed in load_split(data.split)[source]][: data.people[PARTS.index(source)]]
    _, card = read_weights(model.base)
    request = json.dumps([part, people, asdict(data), asdict(model), card.weights_sha256])
    path = None if folder is None else folder / f"{part}-{hashlib.sha256(request.encode()).hexdigest()[:16]}.npz"
    if path is not None and path.is_file():
        return read_sequence_set(path)
    found = make_sequences(people, data, model, part, processes)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.savez_compressed(file, **{name: getattr(found, name) for name in FIELDS})
    return found


def read_sequence_set(path: Path) -> SequenceSet:
    """A file of tokens.

    Raises:
        MeshFormatError: when an array is missing.
    """
    with np.load(path, allow_pickle=False) as file:
        missing = [name for name in FIELDS if name not in file]
        if missing:
            raise MeshFormatError(path, "arrays", ", ".join(FIELDS), f"no {', '.join(missing)}")
        return SequenceSet(**{name: file[name] for name in FIELDS})


def make_sequences(
    people: Sequence[int],
    data: SequenceDataConfig,
    model: TemporalConfig,
    part: str,
    processes: int | None = None,
) -> SequenceSet:
    """Synthesise, render and encode; order and content do not depend on `processes`."""
    work = partial(_person, data=data, model=model, part=part)
    count = processes or os.cpu_count() or 1
    if count == 1 or len(people) <= FEW_PEOPLE:
        made = [work(seed) for seed in tqdm(people, desc="sequences", unit="person", disable=len(people) <= FEW_PEOPLE)]
    else:
        context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has started its threads
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            made = list(tqdm(pool.map(work, people), total=len(people), desc="sequences", unit="person"))
    return SequenceSet(*(np.concatenate([getattr(one, name) for one in made]) for name in FIELDS))


def set_of_shots(shots: Sequence[Shot], subject: int, reader: FrameReader, frames: int) -> SequenceSet:
    """Takes of one person as tokens, each padded to `frames`."""
    texts = reader.texts(all_sentences())
    tokens, cosines, times, present = [], [], [], []
    for shot in shots:
        pictures = reader.pictures(shot.frames)
        seen = reader.look(pictures)
        read = reader.tokens_of(seen, pictures, shot.times_s)
        alone = reader.frame_cosines(seen, texts)
        lacking = frames - len(read)
        tokens.append(np.pad(read.tokens.astype(np.float16), ((0, lacking), (0, 0), (0, 0))))
        cosines.append(np.pad(alone.astype(np.float16), ((0, lacking), (0, 0))))
        times.append(np.pad(read.times_s.astype(np.float32), (0, lacking)))
        present.append(np.pad(read.present, (0, lacking)))
    return SequenceSet(
        tokens=np.stack(tokens),
        times_s=np.stack(times),
        present=np.stack(present),
        targets=np.stack([shot.target for shot in shots]),
        categories=np.stack([shot.categories for shot in shots]),
        halves=np.stack([shot.halves for shot in shots]),
        kinds=np.array([KINDS.index(shot.kind) for shot in shots]),
        intensities=np.array([shot.intensity for shot in shots], np.float32),
        subjects=np.full(len(shots), subject),
        cosines=np.stack(cosines),
    )


def all_sentences() -> dict[str, tuple[str, ...]]:
    """Sentences of the canonical expressions, then those of the categories, whose names may be alike."""
    return label_sentences() | {f"category {name}": found for name, found in category_sentences().items()}


def _person(seed: int, data: SequenceDataConfig, model: TemporalConfig, part: str) -> SequenceSet:
    shots = list(person_shots(seed, data, model.frames, part == "train", part == SCANNED))
    return set_of_shots(shots, seed, _reader(model), model.frames)


@lru_cache(maxsize=1)
def _reader(model: TemporalConfig) -> FrameReader:
    """One network a process, on one thread, so that tokens are the same however many processes there are."""
    torch.set_num_threads(1)
    network, card = read_weights(model.base)
    return FrameReader.of(network, card.model, model)
