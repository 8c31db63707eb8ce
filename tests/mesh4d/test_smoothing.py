"""Resampling and smoothing over time: exact on what they must not change, calmer on noise."""

import numpy as np
import pytest

from mesh4d.errors import MeshError
from mesh4d.mesh import Mesh
from mesh4d.sequence import MeshSequence
from mesh4d.smoothing import jitter, one_euro, resample, resampled, savitzky_golay, smoothed

TIMES = np.arange(61) / 30.0
NOISE = np.random.default_rng(0).normal(size=(61, 50, 3)) * 0.2


def test_resampling_keeps_ends_and_polynomials():
    curve = (TIMES**3 - TIMES)[:, None]
    finer = resample(curve, 30.0, 120.0)
    at = np.arange(len(finer)) / 120.0
    np.testing.assert_allclose(finer[:, 0], at**3 - at, atol=1e-9)
    assert finer[-1, 0] == pytest.approx(curve[-1, 0])
    np.testing.assert_allclose(resample(curve, 30.0, 30.0), curve, atol=1e-12)
    linear = resample(np.array([[0.0], [1.0], [0.0]]), 1.0, 2.0, cubic=False)
    np.testing.assert_allclose(linear[:, 0], [0, 0.5, 1, 0.5, 0])
    np.testing.assert_allclose(resample(np.ones((1, 2)), 25.0, 50.0), np.ones((1, 2)))


def test_savitzky_golay_keeps_quadratics_and_calms_noise():
    curve = (TIMES**2 - 3 * TIMES)[:, None, None] * np.ones((1, 50, 3))
    np.testing.assert_allclose(savitzky_golay(curve, 30.0), curve, atol=1e-9)
    assert savitzky_golay(curve + NOISE, 30.0, 0.3).std() > 0
    error = savitzky_golay(curve + NOISE, 30.0, 0.3) - curve
    assert error.std() < 0.7 * NOISE.std()
    short = curve[:2]
    np.testing.assert_array_equal(savitzky_golay(short, 30.0), short)


def test_the_one_euro_filter_stands_still_and_keeps_up():
    calm = one_euro(NOISE, 30.0, min_cutoff_hz=1.0, beta=0.0)
    assert calm[20:].std() < 0.5 * NOISE.std()
    step = np.zeros((60, 1))
    step[20:] = 100.0
    slow, quick = (one_euro(step, 30.0, 1.0, beta)[24, 0] for beta in (0.0, 0.5))
    assert slow < 70 < 95 < quick
    np.testing.assert_allclose(one_euro(np.full((9, 2), 3.0), 30.0), 3.0)


def test_jitter_is_the_noise_that_was_put_in():
    assert jitter(NOISE) == pytest.approx(0.2, rel=0.1)
    drift = np.arange(61)[:, None, None] * np.ones((1, 50, 3))
    assert jitter(drift) < 1e-9 and jitter(drift[:2]) == 0.0


def test_sequences_keep_their_topology():
    faces = np.array([[0, 1, 2]])
    sequence = MeshSequence(Mesh(np.zeros((50, 3)), faces), NOISE, 30.0)
    assert jitter(smoothed(sequence, 0.3).frames) < jitter(NOISE)
    slower = resampled(sequence, 15.0)
    assert len(slower) == 31 and slower.fps == 15.0
    np.testing.assert_allclose(slower.frames[5], NOISE[10], atol=1e-9)


def test_bad_rates_and_empty_curves_are_refused():
    with pytest.raises(MeshError, match="fps"):
        resample(np.zeros((3, 1)), 0.0, 25.0)
    with pytest.raises(MeshError, match="new_fps"):
        resample(np.zeros((3, 1)), 25.0, -1.0)
    with pytest.raises(MeshError, match="at least one frame"):
        one_euro(np.zeros((0, 1)), 25.0)
