"""A placed scene looks from the placed camera as it did before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sogs_worker.encode.harmonics import basis
from sogs_worker.errors import BadInputError
from sogs_worker.formats.placement import place
from sogs_worker.formats.turning import harmonics_matrix, rotation_matrix
from splat_builders import build_splats, covariances

NUMBERS = st.floats(-2, 2)
QUATERNIONS = arrays(np.float64, 4, elements=NUMBERS).filter(lambda q: np.linalg.norm(q) > 1e-3)


@given(QUATERNIONS, st.floats(0.01, 100), arrays(np.float64, 3, elements=NUMBERS), st.integers(0, 3))
def test_a_placed_scene_is_the_same_scene(
    quaternion: np.ndarray, scale: float, translation: np.ndarray, bands: int
) -> None:
    matrix = np.eye(4)
    rotation = rotation_matrix(quaternion)
    matrix[:3, :3], matrix[:3, 3] = scale * rotation, translation
    splats = build_splats(20, bands=bands)
    placed = place(splats, matrix)
    positions = splats.positions @ matrix[:3, :3].T + translation
    np.testing.assert_allclose(placed.positions, positions, rtol=1e-5, atol=1e-5 * np.abs(positions).max())
    shapes = matrix[:3, :3] @ covariances(splats) @ matrix[:3, :3].T
    np.testing.assert_allclose(covariances(placed), shapes, rtol=1e-4, atol=1e-4 * np.abs(shapes).max())
    directions = torch.nn.functional.normalize(torch.randn(20, 3, dtype=torch.float64), dim=1)
    coefficients = splats.shn.shape[1]
    before = torch.einsum("nc,ncd->nd", basis(directions, coefficients), torch.from_numpy(splats.shn).double())
    seen = directions @ torch.from_numpy(rotation).T
    after = torch.einsum("nc,ncd->nd", basis(seen, coefficients), torch.from_numpy(placed.shn).double())
    np.testing.assert_allclose(after, before, atol=1e-5)
    for same in ("opacities", "sh0"):
        assert np.array_equal(getattr(placed, same), getattr(splats, same))


@given(QUATERNIONS, QUATERNIONS)
def test_turns_of_harmonics_follow_each_other_as_rotations_do(first: np.ndarray, second: np.ndarray) -> None:
    one, other = rotation_matrix(first), rotation_matrix(second)
    turns = harmonics_matrix(other) @ harmonics_matrix(one)
    np.testing.assert_allclose(turns, harmonics_matrix(other @ one), atol=1e-9)
    np.testing.assert_allclose(turns @ turns.T, np.eye(15), atol=1e-9)


@pytest.mark.parametrize("axes", [(2, 1, 1), (-1, 1, 1), (0, 0, 0), (np.nan, 1, 1)])
def test_what_is_no_ellipsoid_with_the_same_colours_is_refused(axes: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"), pytest.raises(BadInputError, match="mirrored or scaled"):
        place(build_splats(2), np.diag([*axes, 1.0]))
