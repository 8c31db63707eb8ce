"""A tiny network and tiny data: 32 pixels, random weights, two people."""

import numpy as np
import pytest

from facet_vlm.config import Config, DataConfig, ModelConfig, TrainConfig
from facet_vlm.faces.expression_set import ExpressionSet, render_subjects
from facet_vlm.faces.views import view_angles
from facet_vlm.network.facet import FacetNetwork, build_network

TINY = Config(
    name="tiny",
    model=ModelConfig(image_size=32),
    data=DataConfig(train_intensities=((0.8, 1.0),), test_intensities=(1.0,), kept_views=7, camera_jitter_deg=0.0),
    train=TrainConfig(epochs=2, validate_every=1, batch_size=8, views_per_sample=2, threads=1),
)


@pytest.fixture(scope="session")
def tiny() -> Config:
    return TINY


@pytest.fixture(scope="session")
def samples() -> ExpressionSet:
    """Two training identities, 8 expressions each."""
    return render_subjects([0, 1], TINY.data, TINY.model, training=True, processes=1)


@pytest.fixture(scope="session")
def other_people() -> ExpressionSet:
    """One validation identity."""
    return render_subjects([400], TINY.data, TINY.model, training=False, processes=1)


@pytest.fixture
def network() -> FacetNetwork:
    return build_network(TINY.model, seed=3)


@pytest.fixture(scope="session")
def angles() -> np.ndarray:
    return view_angles("fer7")
