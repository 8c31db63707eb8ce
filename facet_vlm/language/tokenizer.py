"""A tokenizer of whole words over a small committed vocabulary.

CLIP's byte-pair vocabulary of 49,408 pieces would make the word embedding the largest part of a small model; the
sentences it is trained on use a few hundred words.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int

from mesh4d.errors import MeshFormatError

WORD = re.compile(r"[a-z]+|,")
PAD, UNKNOWN, START = 0, 1, 2
SPECIAL = ("<pad>", "<unknown>", "<start>")
MAX_VOCABULARY = 100_000
SUFFIXES = (("s", ""), ("es", ""), ("ed", ""), ("ing", ""), ("d", ""), ("", "s"), ("", "ed"), ("", "d"), ("ly", ""))
"""Endings taken off and put on when a word is unknown: "brow" finds "brows", "smiles" finds "smile"."""


@dataclass(frozen=True)
class WordTokenizer:
    """Words to ids: 0 pads, 1 stands for unknown words, 2 starts; the highest id ends a sentence.

    Convention: the end has the highest id because open_clip's text tower reads the sentence's embedding there.
    """

    words: tuple[str, ...]
    context_length: int

    @property
    def vocabulary_size(self) -> int:
        return len(SPECIAL) + len(self.words) + 1

    def __call__(self, texts: str | Sequence[str]) -> Int[torch.Tensor, "B L"]:
        """Ids of each sentence, padded to the context length; what is too long loses its end."""
        texts = [texts] if isinstance(texts, str) else list(texts)
        index = {word: len(SPECIAL) + row for row, word in enumerate(self.words)}
        ids = torch.full((len(texts), self.context_length), PAD, dtype=torch.long)
        for row, text in enumerate(texts):
            words = [_lookup(word, index) for word in split_words(text)][: self.context_length - 2]
            sentence = [START, *words, self.vocabulary_size - 1]
            ids[row, : len(sentence)] = torch.tensor(sentence)
        return ids


def split_words(text: str) -> list[str]:
    """Lower-case words and commas."""
    return WORD.findall(text.lower())


def vocabulary_of(texts: Iterable[str]) -> tuple[str, ...]:
    """All words of the texts, sorted."""
    return tuple(sorted({word for text in texts for word in split_words(text)}))


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """A vocabulary file: one word a line, in order.

    Raises:
        MeshFormatError: when a line is not one word, a word comes twice, or the file is too large.
    """
    words = path.read_text(encoding="utf-8").splitlines()
    if len(words) > MAX_VOCABULARY:
        raise MeshFormatError(path, "length", f"at most {MAX_VOCABULARY} words", str(len(words)))
    for number, word in enumerate(words, start=1):
        if not WORD.fullmatch(word):
            raise MeshFormatError(path, f"line {number}", "one lower-case word", repr(word))
    if len(set(words)) != len(words):
        raise MeshFormatError(path, "words", "each word once", "a word twice")
    return tuple(words)


def _lookup(word: str, index: dict[str, int]) -> int:
    """The word's id, or that of the same word with another ending, or UNKNOWN."""
    if word in index:
        return index[word]
    for ending, replacement in SUFFIXES:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            other = word[: len(word) - len(ending)] + replacement
            if other in index:
                return index[other]
    return UNKNOWN
