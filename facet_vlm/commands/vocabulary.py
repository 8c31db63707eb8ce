"""Write the words that a model with our tokenizer must know."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg


@dataclass(frozen=True)
class Vocabulary:
    """Write the words of all class sentences and captions, one a line: PRESET_words.txt beside an open_clip JSON.

    The shipped vocabulary is what this command writes; a model must be trained anew when its vocabulary changes.
    """

    output: Annotated[Path, arg(aliases=["-o"])]
    """The file to write."""
    sentences: Path | None = None
    """A text file with more sentences that the model will be trained on."""

    def run(self) -> dict[str, object]:
        from facet_vlm.language.vocabulary import known_words, write_vocabulary

        more = () if self.sentences is None else self.sentences.read_text(encoding="utf-8").splitlines()
        words = known_words(more)
        write_vocabulary(self.output, words)
        return {"words": len(words), "vocabulary": str(self.output)}
