import pytest

from aublend import head_model

HELD_OUT = 470


@pytest.fixture(scope="session")
def model():
    return head_model()


@pytest.fixture(scope="session")
def rig(model):
    return model.rig(HELD_OUT)
