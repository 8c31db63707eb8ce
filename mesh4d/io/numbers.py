"""The numbers in a text, in bulk and exactly: each the float64 that float() makes of its word, or a refusal by place.

Long texts go through compiled loops that let go of Python's lock, so that threads read files side by side. A number
of up to 15 digits and a small power of ten is exact there (W. Clinger, How to read floating point numbers accurately,
1990: whole numbers below 2^53 and powers up to 10^22 are exact, so one multiplication or division rounds once); a
text with a longer number goes through float() itself, piece by piece.
"""

import math
import re
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from mesh4d.compiled import compiled
from mesh4d.errors import MeshFormatError

SHORT = 1 << 14
"""Bytes below which a text is not worth the start of compiled code."""
PIECE = 1 << 20
SPACES = b"\t\n\v\f\r"
COMMA_IS_SPACE = bytes.maketrans(SPACES + b",", b" " * 6)
SPACE_IS_SPACE = bytes.maketrans(SPACES, b" " * 5)
FLOAT_WORD = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
INTEGER_WORD = re.compile(rb"[+-]?\d{1,18}")
POWERS_OF_TEN = np.array([float(10**power) for power in range(23)])
LARGEST_EXACT = 1 << 53


class NumberError(ValueError):
    """A word that is no number, or a number that is not finite."""

    def __init__(self, position: int, word: bytes) -> None:
        self.position, self.word = position, word
        super().__init__(f"{word[:40]!r} at byte {position}")

    def in_file(self, source: str, data: bytes, offset: int) -> MeshFormatError:
        """What to raise when the text stood at byte `offset` of the file `data`."""
        found = repr(self.word[:40].decode("utf-8", "replace"))
        return MeshFormatError(source, f"line {line_number(data, offset + self.position)}", "numbers", found)


def line_number(data: bytes, position: int) -> int:
    """The line of a byte, from 1."""
    return data.count(b"\n", 0, position) + 1


def floats(
    text: bytes | memoryview, *, commas: bool = False, count: int | None = None
) -> Float[np.ndarray, " numbers"]:
    """All numbers of a text, between spaces (and, where they are spaces too, commas).

    Args:
        text: words and spaces.
        commas: commas are spaces too.
        count: how many words there are, where that is known already.

    Raises:
        NumberError: for the first word that is no finite number.
    """
    if len(text) < SHORT:
        return _plain_floats(bytes(text), commas)
    letters = np.frombuffer(text, np.uint8)
    values = np.empty(_count_words(letters, commas) if count is None else count)
    position = int(_exact_floats(letters, values, POWERS_OF_TEN, commas))
    return values if position < 0 else _plain_floats(bytes(text), commas)


def integers(text: bytes | memoryview, *, commas: bool = False) -> Int[np.ndarray, " numbers"]:
    """All whole numbers of a text, of up to 18 digits.

    Raises:
        NumberError: for the first word that is no such number.
    """
    if len(text) < SHORT:
        return _plain_integers(bytes(text), commas)
    letters = np.frombuffer(text, np.uint8)
    values = np.empty(_count_words(letters, commas), np.int64)
    position = int(_exact_integers(letters, values, commas))
    return values if position < 0 else _plain_integers(bytes(text), commas)


def lines_with_words(text: bytes) -> tuple[Int[np.ndarray, " lines"], Int[np.ndarray, " lines"]]:
    """Where the lines that are not empty start, and how many words each has."""
    letters, nothing = np.frombuffer(text, np.uint8), np.zeros(0, np.int64)
    starts, words = np.empty((2, int(_words_of_lines(letters, nothing, nothing))), np.int64)
    if len(starts):
        _words_of_lines(letters, starts, words)
    return starts, words


def without_comments(text: bytes) -> bytes:
    """The text with everything from a # to the end of its line turned into spaces."""
    start = text.find(b"#")
    if start < 0:
        return text
    blanked = bytearray(text)
    while start >= 0:
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        blanked[start:end] = b" " * (end - start)
        start = text.find(b"#", end)
    return bytes(blanked)


def _plain_floats(text: bytes, commas: bool) -> Float[np.ndarray, " numbers"]:
    pieces: list[Float[np.ndarray, " numbers"]] = []
    for start, piece in _pieces(text, commas):
        words = piece.split()
        try:
            if b"_" in piece:
                raise ValueError("float() takes 1_0, no format does")
            numbers = np.fromiter(map(float, words), np.float64, count=len(words))
        except ValueError:
            raise _first_bad(piece, start, FLOAT_WORD) from None
        if not np.isfinite(numbers).all():
            raise _first_bad(piece, start, FLOAT_WORD)
        pieces.append(numbers)
    return np.concatenate(pieces)


def _plain_integers(text: bytes, commas: bool) -> Int[np.ndarray, " numbers"]:
    pieces: list[Int[np.ndarray, " numbers"]] = []
    for start, piece in _pieces(text, commas):
        words = piece.split()
        if not all(map(INTEGER_WORD.fullmatch, words)):
            raise _first_bad(piece, start, INTEGER_WORD)
        pieces.append(np.fromiter(map(int, words), np.int64, count=len(words)))
    return np.concatenate(pieces)


def _pieces(text: bytes, commas: bool) -> list[tuple[int, bytes]]:
    """The text between word ends, so that the words of one piece alone are Python objects at a time."""
    text = text.translate(COMMA_IS_SPACE if commas else SPACE_IS_SPACE)
    cuts = [0]
    while len(text) - cuts[-1] > PIECE:
        cut = text.find(b" ", cuts[-1] + PIECE)
        if cut < 0:
            break
        cuts.append(cut)
    return [(start, text[start:end]) for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _first_bad(piece: bytes, start: int, pattern: re.Pattern[bytes]) -> NumberError:
    for word in re.finditer(rb"[^ ]+", piece):
        if not pattern.fullmatch(word[0]) or not math.isfinite(float(word[0])):
            return NumberError(start + word.start(), word[0])
    return NumberError(start, piece[:40])


@compiled(inline="always")
@no_type_check
def _is_space(letter, commas):
    return letter == 32 or 9 <= letter <= 13 or (commas and letter == 44)


@compiled()
@no_type_check
def _count_words(text, commas):
    """Words between spaces."""
    count, inside = 0, False
    for letter in text:
        space = _is_space(letter, commas)
        count += inside and space
        inside = not space
    return count + inside


@compiled()
@no_type_check
def _words_of_lines(text, starts, words):
    """Count the lines that hold a word; and note where they start and their words, when there is room for them."""
    count, in_line, start, inside = 0, 0, 0, False
    for at, letter in enumerate(text):
        space = _is_space(letter, False)
        in_line += inside and space
        inside = not space
        if letter == 10:
            if in_line:
                if len(starts):
                    starts[count], words[count] = start, in_line
                count += 1
            in_line, start = 0, at + 1
    if in_line + inside:
        if len(starts):
            starts[count], words[count] = start, in_line + inside
        count += 1
    return count


@compiled()
@no_type_check
def _exact_integers(text, values, commas):
    """Fill `values`; the position of the first word that is no whole number of up to 18 digits, or -1."""
    end, at, count = len(text), 0, 0
    while True:
        while at < end and _is_space(text[at], commas):
            at += 1
        if at == end:
            return -1
        start = at
        if text[at] == 45 or text[at] == 43:
            at += 1
        first, value = at, 0
        while at < end and 48 <= text[at] <= 57 and at - first < 19:
            value = 10 * value + (np.int64(text[at]) - 48)
            at += 1
        if at == first or at - first > 18 or (at < end and not _is_space(text[at], commas)):
            return start
        values[count] = -value if text[start] == 45 else value
        count += 1


@compiled()
@no_type_check
def _exact_floats(text, values, powers, commas):
    """Fill `values`; the position of the first word that is no number or is not exact in one rounding, or -1."""
    end, at, count = len(text), 0, 0
    while True:
        while at < end and _is_space(text[at], commas):
            at += 1
        if at == end:
            return -1 if count == len(values) else end
        start = at
        if text[at] == 45 or text[at] == 43:
            at += 1
        mantissa, first, power = 0, at, 0
        while at < end and 48 <= text[at] <= 57:
            if mantissa <= LARGEST_EXACT:
                mantissa = 10 * mantissa + (np.int64(text[at]) - 48)
            at += 1
        digits = at - first
        if at < end and text[at] == 46:
            at += 1
            first = at
            while at < end and 48 <= text[at] <= 57:
                if mantissa <= LARGEST_EXACT:
                    mantissa = 10 * mantissa + (np.int64(text[at]) - 48)
                at += 1
            power = first - at
            digits -= power
        if digits == 0 or count == len(values):
            return start
        if at < end and (text[at] == 101 or text[at] == 69):
            at += 1
            negative = at < end and text[at] == 45
            if at < end and (text[at] == 45 or text[at] == 43):
                at += 1
            first, exponent = at, 0
            while at < end and 48 <= text[at] <= 57:
                exponent = min(10 * exponent + (np.int64(text[at]) - 48), 9999)
                at += 1
            if at == first:
                return start
            power += -exponent if negative else exponent
        if (at < end and not _is_space(text[at], commas)) or mantissa > LARGEST_EXACT or abs(power) > 22:
            return start
        value = mantissa / powers[-power] if power < 0 else mantissa * powers[power]
        values[count] = -value if text[start] == 45 else value
        count += 1
