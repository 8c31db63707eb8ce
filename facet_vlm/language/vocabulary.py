"""The words a model's tokenizer knows: those of all our sentences and captions, and of a user's own sentences."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from aublend.captions import REGIONS, caption_wordings
from facet_vlm.language.prompts import label_sentences
from facet_vlm.language.tokenizer import vocabulary_of
from mesh4d.io.atomic import atomic_write


def known_words(sentences: Iterable[str] = ()) -> tuple[str, ...]:
    """Every word that class sentences and captions of data_specs/prompts.toml can use, sorted.

    A word that training never shows has a random embedding, so there is no word here that no sentence uses.

    Args:
        sentences: more text that a model will be trained on.
    """
    ours = [text for texts in label_sentences().values() for text in texts]
    return vocabulary_of([*ours, *REGIONS, *caption_wordings(), *sentences])


def write_vocabulary(path: str | PathLike[str], words: Iterable[str]) -> None:
    """One word a line, as `read_vocabulary` reads it."""
    with atomic_write(Path(path), text=True) as file:
        file.writelines(f"{word}\n" for word in words)
