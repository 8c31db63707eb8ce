"""English text as words to be spoken: lower case, no punctuation, numbers spelt out, each word with its phones."""

import re
import unicodedata
from functools import lru_cache

from aublend.speech.phones import PHONE_INDEX
from mesh4d.errors import MeshError
from mesh4d.specs import load_toml

LONGEST_TEXT = 200_000
"""Characters; an hour of speech has about 60,000."""
ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
CURRENCY = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny")}
PLURALS = {"cent": "cents", "penny": "pence"}
SHORT_FORMS: dict[str, str] = {
    "kg": "kilograms", "km": "kilometers", "cm": "centimeters", "mm": "millimeters", "vs": "versus", "etc": "et cetera",
}  # fmt: skip
SIGNS = {"&": " and ", "%": " percent ", "$": " dollars ", "€": " euros ", "£": " pounds ", "+": " plus ", "@": " at "}


def spoken_words(text: str) -> list[str]:
    """The words of an English text as the dictionary spells them.

    Raises:
        MeshError: when nothing of it can be spoken (no Latin letter, no digit), or it is too long.
    """
    if len(text) > LONGEST_TEXT:
        raise MeshError(f"text may have {LONGEST_TEXT} characters at most, found {len(text)}")
    plain = unicodedata.normalize("NFKD", text).replace("’", "'").replace("‘", "'")
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", plain)
    plain = re.sub(r"([$€£])\s?(\d+)(\.\d+)?( (?:hundred|thousand|[mb]illion))?", _price, plain)
    for sign, word in SIGNS.items():
        plain = plain.replace(sign, word)
    plain = re.sub(r"\d+(?:\.\d+)?(?:st|nd|rd|th)?", lambda match: f" {_number(match[0])} ", plain)
    words: list[str] = [word.strip("'") for word in re.findall(r"[a-z']+", plain.lower())]
    words = " ".join(SHORT_FORMS.get(word, word) for word in words).split()
    if not words:
        raise MeshError(f"expected English text with at least one word, found {text[:60]!r}")
    return words


def guessed_pronunciation(word: str) -> tuple[str, ...]:
    """Phones of a word that no dictionary has, by letter-to-sound rules (data_specs/speech_letters.toml)."""
    rules = _letter_rules()
    letters = re.sub(r"[^a-z]", "", word.lower())
    phones: list[str] = []
    place = 0
    while place < len(letters):
        for pattern, sounds in rules:
            match = pattern.match(letters, place)
            if match and match.end() > place:
                phones.extend(sounds)
                place = match.end()
                break
        else:
            place += 1
    merged = [p for i, p in enumerate(phones) if i == 0 or p != phones[i - 1]]
    return tuple(merged) or ("AH",)


@lru_cache(maxsize=1)
def _letter_rules() -> list[tuple[re.Pattern[str], tuple[str, ...]]]:
    rules = []
    for pattern, sounds in load_toml("speech_letters")["rules"]:
        names = tuple(sounds.split())
        if not set(names) <= set(PHONE_INDEX):
            raise MeshError(f"speech_letters.toml: rule {pattern!r} names unknown phones {sounds!r}")
        rules.append((re.compile(pattern), names))
    return rules


def _price(match: re.Match[str]) -> str:
    """A price in the order in which it is said: $2.50 is 2 dollars 50 cents, $2.5 million 2.5 million dollars."""
    sign, whole, fraction, scale = match[1], match[2], match[3] or "", match[4] or ""
    unit, part = CURRENCY[sign]
    plural = "" if whole == "1" and not fraction.strip(".0") and not scale else "s"
    if scale or len(fraction) != 3:
        return f" {whole}{fraction}{scale} {unit}{plural} "
    parts = {0: "", 1: f"1 {part}"}.get(int(fraction[1:]), f"{int(fraction[1:])} {PLURALS[part]}")
    return f" {whole} {unit}{'' if whole == '1' else 's'} {parts} "


def _number(text: str) -> str:
    """A number in words; numbers of more than twelve digits are read digit by digit."""
    match = re.fullmatch(r"(\d+)(?:\.(\d+))?(st|nd|rd|th)?", text)
    whole, fraction, ordinal = match.groups() if match else (text, None, None)
    if len(whole) > 12 or (len(whole) > 1 and whole[0] == "0"):
        words = " ".join(ONES[int(digit)] for digit in whole)
    else:
        words = _integer(int(whole))
    if fraction:
        return words + " point " + " ".join(ONES[int(digit)] for digit in fraction)
    if ordinal:
        *rest, last = words.split()
        last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last.removesuffix("t") + "th")
        return " ".join([*rest, last])
    return words


def _integer(value: int) -> str:
    if value < 20:
        return ONES[value]
    if value < 100:
        return TENS[value // 10] + (f" {ONES[value % 10]}" if value % 10 else "")
    if (1100 <= value < 2000 or 2010 <= value < 2100) and value % 100:
        return f"{_integer(value // 100)} {_integer(value % 100) if value % 100 > 9 else 'oh ' + ONES[value % 100]}"
    for size, name in SCALES:
        if value >= size:
            rest = value % size
            return f"{_integer(value // size)} {name}" + (f" {_integer(rest)}" if rest else "")
    return ONES[0]
