"""AUBlendSet: neutral heads and their 32 AU shapes, identity by identity, reproducible from seeds alone."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from aublend.head_model import HeadModel
from aublend.postures import postures_of
from aublend.units import AU_NAMES
from mesh4d.errors import MeshFormatError
from mesh4d.io import atomic_write

FORMAT = "facet4d AUBlendSet 2"


@dataclass(frozen=True)
class BlendSet:
    """Identities on the embedded topology. float16 holds a displacement of 30 mm to 0.02 mm."""

    seeds: tuple[int, ...]
    neutrals: Float[np.ndarray, "N V 3"]
    deltas: Float[np.ndarray, "N A V 3"]
    recipe: str
    """Names the unit shapes that the set was made from; see `recipe_of`."""

    def part(self, seeds: Sequence[int]) -> "BlendSet":
        """The identities of one part of a split, in the split's order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return BlendSet(tuple(seeds), self.neutrals[rows], self.deltas[rows], self.recipe)

    def digest(self) -> str:
        """A hash of everything in the set; two machines that agree print the same."""
        content = hashlib.sha256(json.dumps(self.seeds).encode())
        content.update(np.ascontiguousarray(self.neutrals.round(1)).tobytes())
        for of_identity in self.deltas:
            content.update(of_identity.astype(np.float32).round(1).tobytes())
        return content.hexdigest()[:16]


def recipe_of(model: HeadModel) -> str:
    """A hash of the template's unit shapes: a set made from other shapes is stale."""
    return hashlib.sha256(model.shapes.deltas.astype(np.float32).round(2).tobytes()).hexdigest()[:16]


def build_blendset(model: HeadModel, seeds: Sequence[int]) -> BlendSet:
    """Make the set: about half a second an identity."""
    vertices = model.topology.n_vertices
    neutrals = np.empty((len(seeds), vertices, 3), np.float32)
    deltas = np.empty((len(seeds), len(AU_NAMES), vertices, 3), np.float16)
    for row, seed in enumerate(tqdm(seeds, desc="AUBlendSet", unit="identity")):
        identity = model.parameters(seed)
        neutrals[row] = model.neutral(identity).vertices
        deltas[row] = model.deltas(identity)
    return BlendSet(tuple(seeds), neutrals, deltas, recipe_of(model))


def write_blendset(blendset: BlendSet, path: Path) -> None:
    """Write the set as one .npz (about 1 MB an identity), with the weights of every identity's postures."""
    with atomic_write(path) as file:
        np.savez(
            file,
            format=np.array(FORMAT),
            seeds=np.array(blendset.seeds),
            neutrals=blendset.neutrals,
            deltas=blendset.deltas,
            recipe=np.array(blendset.recipe),
            posture_names=np.array(postures_of(0).names),
            posture_weights=np.stack([postures_of(seed).weights for seed in blendset.seeds]),
        )


def read_blendset(path: Path) -> BlendSet:
    """Read a set written by `write_blendset`.

    Raises:
        MeshFormatError: when the file is something else.
    """
    with np.load(path, allow_pickle=False) as stored:
        if "format" not in stored or str(stored["format"]) != FORMAT:
            raise MeshFormatError(path, "field format", repr(FORMAT), repr(str(stored.get("format"))))
        return BlendSet(tuple(stored["seeds"].tolist()), stored["neutrals"], stored["deltas"], str(stored["recipe"]))


def stored_recipe(path: Path) -> str | None:
    """What a stored set was made from; None when there is no such file or set."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return str(stored["recipe"]) if "recipe" in stored else None
