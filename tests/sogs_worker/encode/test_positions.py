"""Positions are within half of the grid's step, or of the wider one that their splat tolerates."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.positions import LEVELS, Means, dequantize_positions, log_transform, quantize_positions

ROWS = st.shared(st.integers(1, 30), key="rows")
SHAPE = st.tuples(ROWS, st.just(3))
COORDINATES = arrays.arrays(np.float32, SHAPE, elements=st.floats(-1e6, 1e6, width=32))
EXTREME = arrays.arrays(np.float32, SHAPE, elements=st.floats(-(2.0**120), 2.0**120, width=32))
TOLERANCES = arrays.arrays(np.float32, SHAPE, elements=st.floats(0, 2.0**100, width=32))
ROUNDING = 8e-6
"""Of float32 bounds and of their decimals, in log space."""


def quantize(positions: np.ndarray, tolerances: np.ndarray | float = 0.0) -> Means:
    wanted = np.broadcast_to(np.float32(tolerances), positions.shape)
    return quantize_positions(torch.from_numpy(positions), torch.from_numpy(wanted.copy()))


def logs(positions: np.ndarray) -> np.ndarray:
    return log_transform(torch.from_numpy(positions)).numpy()


@given(st.one_of(COORDINATES, EXTREME))
def test_positions_are_within_half_a_step_of_log_space(positions: np.ndarray) -> None:
    means = quantize(positions)
    assert means.steps.dtype == np.uint16
    span = means.maxs.astype(np.float64) - means.mins
    error = np.abs(logs(dequantize_positions(means)) - logs(positions))
    assert (error <= span / LEVELS / 2 + ROUNDING * np.maximum(1, span / 20)).all()


@given(st.one_of(COORDINATES, EXTREME), TOLERANCES)
def test_positions_are_within_half_of_what_is_tolerated(positions: np.ndarray, tolerances: np.ndarray) -> None:
    means = quantize(positions, tolerances)
    error = np.abs(dequantize_positions(means).astype(np.float64) - positions)
    span = means.maxs.astype(np.float64) - means.mins
    far = 1 + np.abs(positions.astype(np.float64))
    grid = far * np.expm1(span / LEVELS / 2)
    assert (error <= np.maximum(grid, tolerances / 2) * (1 + 1e-6) + ROUNDING * far * np.maximum(1, span / 20)).all()


@given(COORDINATES, st.floats(0, 10, width=32))
def test_steps_are_multiples_of_a_power_of_two(positions: np.ndarray, tolerance: float) -> None:
    exact, coarse = quantize(positions).steps.astype(int), quantize(positions, tolerance).steps.astype(int)
    moved = np.abs(coarse - exact)
    power = coarse & -coarse
    assert ((coarse == exact) | (coarse == LEVELS) | (coarse == 0) | (moved <= power / 2 + 1)).all()


def test_large_splats_use_fewer_steps() -> None:
    positions = np.random.default_rng(0).uniform(-1, 1, (5000, 3)).astype(np.float32)
    used = [len(np.unique(quantize(positions, tolerance).steps)) for tolerance in (0, 1e-3, 1e-2)]
    assert used[0] > 4 * used[1] > 16 * used[2] > 0


@pytest.mark.parametrize("tolerance", [1e30, np.float32(3e38), np.inf])
def test_a_splat_that_tolerates_everything_stays_in_the_scene(tolerance: float) -> None:
    positions = np.array([[0, 0, 0], [1, -2, 3], [-1, 2, -3]], np.float32)
    got = dequantize_positions(quantize(positions, tolerance))
    assert np.isfinite(got).all()
    assert (np.abs(got) <= 3.001).all()


@pytest.mark.parametrize("tolerance", [0.0, 0.01, 1e6])
def test_one_position_is_kept(tolerance: float) -> None:
    positions = np.array([[1.5, -2000.25, 0]], np.float32)
    means = quantize(positions, tolerance)
    assert means.steps.tolist() == [[0, 0, 0]]
    assert dequantize_positions(means) == pytest.approx(positions, rel=1e-6)


def test_the_greatest_step_is_the_greatest_position() -> None:
    means = quantize(np.array([[0, 0, 0], [0.5, 7, 1e6]], np.float32))
    assert means.steps.tolist() == [[0, 0, 0], [LEVELS] * 3]


@pytest.mark.parametrize("tolerance", [1.0, 10.0, 1e3, 1e5])
def test_a_wide_tolerance_holds_near_the_origin_of_a_wide_scene(tolerance: float) -> None:
    """A step in log space is longer outwards than it is where it begins, by far if it is coarse."""
    positions = np.random.default_rng(0).normal(0, 1, (500, 3)).astype(np.float32)
    positions[:2] = [[1e6] * 3, [-1e6] * 3]
    got = dequantize_positions(quantize(positions, tolerance))
    assert np.abs(got - positions)[2:].max() <= tolerance / 2 * (1 + 1e-6)
