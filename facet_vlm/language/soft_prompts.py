"""Prompts that learn: context vectors before the words of a class, through the frozen text tower (CoOp; MPA-FER).

A hard prompt is text that people wrote: templates and FACS descriptions of data_specs/prompts.toml. A soft prompt is
[v_1 .. v_M][words of the class] with learnable v; both go through the same tower, so both are points where the faces
are. The tower is open_clip's own: its token embedding is asked for the sentence, and the first M words are exchanged
for the context before anything else sees them.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import nn

from facet_vlm.language.tokenizer import WordTokenizer
from facet_vlm.network.encoders import ClipEncoders, shorter_context, without_padding
from mesh4d.errors import SpecError
from mesh4d.specs import load_toml

PLACEHOLDER = "x"
"""A word that is one token in our vocabularies (there as the unknown word) and in CLIP's."""


class SoftPrompts(nn.Module):
    """Context vectors, shared by all classes or one set per class, and the words of each class."""

    def __init__(
        self, encoders: ClipEncoders, words: Sequence[str], length: int, per_class: bool, generator: torch.Generator
    ) -> None:
        """As many context vectors as `length`, drawn like the tower's own word embeddings.

        Args:
            words: what stands after the context, per class.

        Raises:
            SpecError: a tower whose token embedding cannot be found, or words that do not fit behind the context.
        """
        super().__init__()
        embedding = token_embedding(encoders.clip)
        spread = embedding.weight.detach().std().item()
        shape = (len(words) if per_class else 1, length, embedding.embedding_dim)
        self.context = nn.Parameter(spread * torch.randn(shape, generator=generator).to(embedding.weight.device))
        filler = " ".join([PLACEHOLDER] * length)
        ids = encoders.tokenizer([f"{filler} {text}" for text in words]).to(embedding.weight.device)
        _prove_fit(ids, encoders.tokenizer(list(words)), length)
        self.short = isinstance(encoders.tokenizer, WordTokenizer)
        self.register_buffer("ids", without_padding(ids) if self.short else ids, persistent=False)

    def forward(self, encoders: ClipEncoders) -> Float[torch.Tensor, "K D"]:
        """Unit embedding of each class's prompt."""
        ids: Any = self.ids
        with shorter_context(encoders.clip, ids.shape[1]) if self.short else nullcontext():
            return nn.functional.normalize(encode_with_context(encoders.clip, ids, self.context), dim=-1)

    def mean_tokens(self, encoders: ClipEncoders) -> Float[torch.Tensor, "K W"]:
        """The mean of each prompt's input vectors, context and words."""
        ids: Any = self.ids
        with _Exchanged(encoders.clip, self.context):
            return mean_of_words(token_embedding(encoders.clip)(ids), ids)


def encode_with_context(
    clip: nn.Module, ids: Int[torch.Tensor, "K L"], context: Float[torch.Tensor, "_ M W"]
) -> Float[torch.Tensor, "K D"]:
    """The text tower's features of sentences whose words 1 to M are exchanged for `context`.

    Args:
        context: of all sentences alike (1,M,W) or of each (K,M,W).
    """
    encode: Any = clip.encode_text
    with _Exchanged(clip, context):
        return encode(ids)


class _Exchanged:
    """While open, the token embedding gives `context` in the places after the start of a sentence."""

    def __init__(self, clip: nn.Module, context: torch.Tensor) -> None:
        self.embedding = token_embedding(clip)
        self.context = context

    def __enter__(self) -> None:
        def put(_module: nn.Module, _args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
            length = self.context.shape[1]
            context = self.context.to(output.dtype).expand(len(output), -1, -1)
            return torch.cat([output[:, :1], context, output[:, 1 + length :]], dim=1)

        self.handle = self.embedding.register_forward_hook(put)

    def __exit__(self, *_: object) -> None:
        self.handle.remove()


def token_embedding(clip: nn.Module) -> nn.Embedding:
    """The word embedding of an open_clip model's own text tower.

    Raises:
        SpecError: when there is not exactly one.
    """
    found = [module for name, module in clip.named_modules() if name.rpartition(".")[2] == "token_embedding"]
    if len(found) != 1 or not isinstance(found[0], nn.Embedding):
        raise SpecError(f"expected one token embedding in {type(clip).__name__}, found {len(found)}")
    return found[0]


def mean_of_words(embedded: Float[torch.Tensor, "K L W"], ids: Int[torch.Tensor, "K L"]) -> Float[torch.Tensor, "K W"]:
    """Mean over the places between the start and the end of each sentence.

    Convention: the end of a sentence has the highest id of its row, as open_clip's pooling assumes.
    """
    place = torch.arange(ids.shape[1], device=ids.device)
    inside = ((place > 0) & (place < ids.argmax(dim=1, keepdim=True))).to(embedded)[..., None]
    return (embedded * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)


def hard_features(
    encoders: ClipEncoders, sentences: Mapping[str, Sequence[str]]
) -> tuple[Float[torch.Tensor, "K D"], Float[torch.Tensor, "K W"]]:
    """Of each class's hard prompts: the unit mean of their embeddings, and the mean of their words' vectors."""
    with torch.no_grad():
        texts = [text for group in sentences.values() for text in group]
        sizes = [len(group) for group in sentences.values()]
        ids = encoders.tokenizer(texts).to(token_embedding(encoders.clip).weight.device)
        words = mean_of_words(token_embedding(encoders.clip)(ids), ids)
        whole = torch.stack([group.mean(dim=0) for group in encoders.texts(texts).split(sizes)])
        return nn.functional.normalize(whole, dim=-1), torch.stack([g.mean(dim=0) for g in words.split(sizes)])


def class_words(sentences: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What stands behind the context: the first name of a canonical expression, else the label's first sentence."""
    known = load_toml("prompts")["expression"]
    return tuple(known[label]["names"][0] if label in known else texts[0] for label, texts in sentences.items())


def _prove_fit(ids: torch.Tensor, plain: torch.Tensor, length: int) -> None:
    """Every word of the class must stand behind the context, one place per context vector."""
    shifted = ids.argmax(dim=1) - plain.argmax(dim=1).to(ids.device)
    if not bool((shifted == length).all()):
        raise SpecError(f"class words do not fit behind {length} context vectors in {ids.shape[1]} places")
