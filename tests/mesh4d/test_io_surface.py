"""Fans: the quick ways for polygons of one size give what `fan_triangles` gives."""

import numpy as np
import pytest

from mesh4d.io.surface import Fans
from mesh4d.mesh import fan_triangles


@pytest.mark.parametrize("sizes", [[3, 3, 3], [4, 4], [7], [5, 5, 5], [3, 4, 3, 6]])
def test_fans_agree_with_fan_triangles(sizes):
    corners = np.random.default_rng(0).integers(0, 50, sum(sizes))
    faces, polygon = fan_triangles(corners, np.array(sizes))
    fans = Fans.over(np.array(sizes))
    np.testing.assert_array_equal(fans.triangles(corners), faces)
    if fans.polygon_of_face is None:
        assert set(sizes) == {3}
    else:
        np.testing.assert_array_equal(fans.polygon_of_face, polygon)


def test_no_polygons():
    assert Fans.over(np.zeros(0, np.int64)).triangles(np.zeros(0, np.int64)).shape == (0, 3)
