"""The gate to open_clip."""

import torch

from facet_vlm.config import ModelConfig
from facet_vlm.network.encoders import build_encoders


def test_padding_changes_no_sentence() -> None:
    encoders = build_encoders(ModelConfig()).eval()
    sentences = ["a smile", "the inner brows rise and the lip corners are pulled down"]
    with torch.inference_mode():
        trimmed = encoders.texts(sentences)
        whole = encoders.clip.encode_text(encoders.tokenizer(sentences))  # type: ignore[operator]
        alone = encoders.texts(sentences[:1])
    torch.testing.assert_close(trimmed, torch.nn.functional.normalize(whole, dim=-1), atol=1e-6, rtol=0)
    torch.testing.assert_close(alone, trimmed[:1], atol=1e-6, rtol=0)
