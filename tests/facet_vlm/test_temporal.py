"""The temporal module's laws: padding, masks, batches, frame rates; and magnification in pictures."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from facet_vlm.config_4d import TemporalConfig
from facet_vlm.faces.frame_tokens import FrameTokens
from facet_vlm.faces.magnification import magnified_pictures
from facet_vlm.network.temporal import TemporalNetwork, log_durations
from facet_vlm.network.temporal_weights import build_temporal
from mesh4d.errors import MeshError

DIM = 128


@pytest.fixture(scope="module")
def temporal() -> TemporalNetwork:
    return build_temporal(TemporalConfig(), seed=1).eval()


@pytest.fixture(scope="module")
def texts() -> torch.Tensor:
    return normalize(torch.randn(5, DIM, generator=torch.Generator().manual_seed(2)), dim=-1)


def motion(times: torch.Tensor) -> torch.Tensor:
    """Tokens (T,S,D) of a smooth rise and fall in a fixed direction, from any times within 2 s."""
    chance = torch.Generator().manual_seed(3)
    rest, way = torch.randn(2, DIM, generator=chance), torch.randn(2, DIM, generator=chance)
    shown = torch.sin(torch.pi * (times / 2).clamp(0, 1)) ** 2
    return rest + shown[:, None, None] * way


def clip(count: int, fps: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    times = torch.arange(count) / fps
    return motion(times)[None], times[None], torch.ones(1, count, dtype=torch.bool)


def test_it_is_small(temporal):
    assert sum(weight.numel() for weight in temporal.parameters()) <= 500_000


def test_what_stands_in_missing_frames_never_matters(temporal, texts):
    tokens, times, present = clip(9, 10.0)
    present = present.clone()
    present[0, [0, 4, 5]] = False
    expected, weights = temporal(tokens, times, present, texts)
    spoilt, when = tokens.clone(), times.clone()
    spoilt[~present], when[~present] = 1e4, -3.0
    found, _ = temporal(spoilt, when, present, texts)
    torch.testing.assert_close(found, expected)
    assert (weights[0][:, ~present[0]] == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, len(texts)))


def test_a_missing_frame_is_as_good_as_none(temporal, texts):
    tokens, times, present = clip(9, 10.0)
    present = present.clone()
    present[0, [2, 8]] = False
    kept = present[0]
    expected, _ = temporal(tokens[:, kept], times[:, kept], torch.ones(1, 7, dtype=torch.bool), texts)
    torch.testing.assert_close(temporal(tokens, times, present, texts)[0], expected, atol=1e-5, rtol=1e-5)


def test_padding_and_batch_do_not_matter(temporal, texts):
    short, long = clip(5, 10.0), clip(12, 20.0)
    alone = temporal(*short, texts)[0]
    lengthened = [torch.cat([part, part[:, :1].expand(-1, 7, *part.shape[2:])], dim=1) for part in short]
    lengthened[2] = lengthened[2].clone()
    lengthened[2][:, 5:] = False
    batch = [torch.cat([a, b]) for a, b in zip(lengthened, long, strict=True)]
    torch.testing.assert_close(temporal(*batch, texts)[0][:1], alone, atol=1e-5, rtol=1e-5)


def test_the_zero_of_time_does_not_matter(temporal, texts):
    tokens, times, present = clip(9, 10.0)
    torch.testing.assert_close(
        temporal(tokens, times + 100.0, present, texts)[0], temporal(tokens, times, present, texts)[0],
        atol=1e-3, rtol=1e-3,
    )  # fmt: skip


def test_seconds_count_and_the_rate_hardly_does(temporal, texts):
    reference = temporal(*clip(51, 25.0), texts)[0]
    tokens, times, present = clip(51, 25.0)
    slower = (temporal(tokens, 4 * times, present, texts)[0] - reference).abs().max()
    for count, fps in ((101, 50.0), (201, 100.0), (31, 15.0)):
        assert (temporal(*clip(count, fps), texts)[0] - reference).abs().max() < 0.2 * slower


def test_frames_that_stand_closer_do_not_outvote_the_others(temporal, texts):
    even = torch.linspace(0, 2, 41)
    crowded = torch.cat([torch.linspace(0, 0.2, 40), torch.linspace(0.25, 2, 36)])
    scores = [
        temporal(motion(t)[None], t[None], torch.ones(1, len(t), dtype=torch.bool), texts)[0] for t in (even, crowded)
    ]
    assert (scores[0] - scores[1]).abs().max() < 0.02


def test_a_text_knows_no_other_text(temporal, texts):
    torch.testing.assert_close(temporal(*clip(9, 10.0), texts[:2])[0], temporal(*clip(9, 10.0), texts)[0][:, :2])


def test_durations_share_out_the_time():
    times = torch.tensor([[0.0, 1.0, 3.0, 9.0]])
    present = torch.tensor([[True, True, True, False]])
    np.testing.assert_allclose(log_durations(times, present).exp(), [[1.0, 1.5, 2.0, 0.0]], rtol=1e-6)
    lone = log_durations(times, torch.tensor([[False, True, False, False]])).exp()
    np.testing.assert_allclose(lone, [[0.0, 1.0, 0.0, 0.0]], rtol=1e-6)


def test_tokens_of_views_are_means_of_the_views_that_are_there():
    tokens = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    seen = np.array([[True, False, True], [False, False, False]])
    found = FrameTokens.of_views(tokens, np.array([0.0, 0.1]), seen)
    np.testing.assert_allclose(found.tokens[0, 0], [2.0, 3.0])
    assert found.present.tolist() == [True, False]


def pictures(count: int = 9, size: int = 32) -> np.ndarray:
    """A disc of surface whose normals tilt to the right for a while, on empty ground."""
    rows, columns = np.mgrid[:size, :size] - size / 2 + 0.5
    disc = np.hypot(rows, columns) < 0.4 * size
    frames = np.empty((count, 1, 3, size, size), np.uint8)
    for frame, tilt in enumerate(0.05 * np.sin(np.pi * np.linspace(0, 1, count)) ** 2):
        frames[frame, 0] = np.where(disc, np.rint(np.array([tilt, 0.0, -0.2]) * 127.5 + 127.5)[:, None, None],
                                    np.array([128, 128, 255])[:, None, None])  # fmt: skip
    return frames


def test_a_tilt_in_pictures_grows_and_empty_space_stays():
    seen = pictures()
    found = magnified_pictures(seen, np.arange(9) / 5.0, 4.0)
    middle = found[4, 0, :, 16, 16].astype(float) / 127.5 - 1
    assert 0.15 < middle[0] < 0.21
    assert (found[:, 0, :, 0, 0] == seen[:, 0, :, 0, 0]).all()
    assert np.abs(found[0].astype(int) - seen[0]).max() <= 1


def test_noise_in_pictures_grows_less_than_motion():
    rng = np.random.default_rng(0)
    surface = pictures(9, 48)
    noisy = np.where(surface[:, :, 2:] < 255, np.clip(surface + rng.normal(0, 4, surface.shape), 0, 254), surface)
    gap = magnified_pictures(noisy.astype(np.uint8), np.arange(9) / 50.0, 6.0).astype(float)
    gap -= magnified_pictures(surface, np.arange(9) / 50.0, 6.0)
    inside = surface[:, :, 2] < 255
    assert gap[:, :, 0][inside].std() < 3 * 4


def test_wrong_onsets_are_refused():
    with pytest.raises(MeshError, match="onset"):
        magnified_pictures(pictures(), np.arange(9) / 25.0, 2.0, onset=9)
