"""The gate to open_clip: image and text towers from one of our JSON presets or any model that open_clip lists."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import nn

from facet_vlm.config import ModelConfig
from facet_vlm.language.tokenizer import PAD, WordTokenizer, read_vocabulary
from mesh4d.errors import SpecError

PRESET_FOLDER = Path(__file__).parent.parent / "presets"
Tokenizer = Callable[[list[str]], Int[torch.Tensor, "B L"]]


class ClipEncoders(nn.Module):
    """One open_clip model as sentence embeddings, and as a global feature with patch features per picture."""

    def __init__(self, clip: nn.Module, tokenizer: Tokenizer, image_size: int) -> None:
        super().__init__()
        self.clip = clip
        self.tokenizer = tokenizer
        with torch.no_grad():
            was_training = clip.training
            clip.eval()  # so that this one picture does not enter running statistics
            features, patches = self.images(torch.zeros(1, 3, image_size, image_size))
            clip.train(was_training)
        self.embed_dim: int = features.shape[-1]
        self.patch_channels: int = patches.shape[1]

    def images(self, pictures: Float[torch.Tensor, "B 3 H W"]) -> tuple[torch.Tensor, torch.Tensor]:
        """Global features (B,D) by open_clip's own projection, and the tower's last feature map (B,C,h,w)."""
        visual: Any = self.clip.visual
        found = visual.forward_intermediates(pictures, indices=1, output_fmt="NCHW")
        return found["image_features"], found["image_intermediates"][-1]

    def texts(self, sentences: Sequence[str]) -> Float[torch.Tensor, "S D"]:
        """Unit embedding of each sentence."""
        encode: Any = self.clip.encode_text
        device = next(self.clip.parameters()).device
        ids = self.tokenizer(list(sentences))
        if not isinstance(self.tokenizer, WordTokenizer):
            return nn.functional.normalize(encode(ids.to(device)), dim=-1)
        ids = without_padding(ids)
        with shorter_context(self.clip, ids.shape[1]):
            return nn.functional.normalize(encode(ids.to(device)), dim=-1)

    @property
    def scale(self) -> Float[torch.Tensor, ""]:
        """CLIP's learned inverse temperature, at most 100."""
        log_scale: Any = self.clip.logit_scale
        return log_scale.exp().clamp(max=100.0)


def without_padding(ids: Int[torch.Tensor, "B L"]) -> Int[torch.Tensor, "B l"]:
    """The ids up to the end of the longest sentence."""
    return ids[:, : int((ids != PAD).sum(dim=1).max())]


@contextmanager
def shorter_context(clip: Any, length: int) -> Iterator[None]:
    """Let a causal text tower read sentences of `length` tokens.

    A sentence is read at its end and no word sees a later one, so padding changes nothing; it only takes time.
    open_clip's tower expects a mask of the sentences' length and keeps one of its full length.
    """
    tower = clip.text
    whole = tower.attn_mask
    tower.attn_mask = whole[:length, :length]
    try:
        yield
    finally:
        tower.attn_mask = whole


def build_encoders(config: ModelConfig, seed: int = 0) -> ClipEncoders:
    """Instantiate the towers; random weights come from `seed` and leave torch's global state untouched."""
    from open_clip import create_model, get_tokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        path = PRESET_FOLDER / f"{config.clip}.json"
        if path.is_file():
            clip = clip_from_json(path)
        else:
            clip = create_model(config.clip, pretrained=config.pretrained, force_image_size=config.image_size)
        tokenizer = _word_tokenizer(config) if config.tokenizer == "words" else get_tokenizer(config.clip)
        return ClipEncoders(clip, tokenizer, config.image_size)


def clip_from_json(path: Path) -> nn.Module:
    """A randomly initialised open_clip model from an open_clip configuration file."""
    from open_clip import CustomTextCLIP

    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return CustomTextCLIP(config["embed_dim"], config["vision_cfg"], config["text_cfg"])
    except (json.JSONDecodeError, KeyError) as error:
        raise SpecError(f"{path}: expected an open_clip model configuration, found {error}") from error


def _word_tokenizer(config: ModelConfig) -> WordTokenizer:
    """The committed vocabulary beside a JSON preset."""
    path = PRESET_FOLDER / f"{config.clip}_words.txt"
    if not path.is_file():
        raise SpecError(f"{path}: no vocabulary for {config.clip!r}; use tokenizer='open_clip'")
    text = json.loads((PRESET_FOLDER / f"{config.clip}.json").read_text(encoding="utf-8"))["text_cfg"]
    tokenizer = WordTokenizer(read_vocabulary(path), text["context_length"])
    if tokenizer.vocabulary_size > text["vocab_size"]:
        raise SpecError(f"{path}: {tokenizer.vocabulary_size} ids, but the text tower has {text['vocab_size']}")
    return tokenizer
