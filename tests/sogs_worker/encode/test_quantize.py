"""Scalar quantisers give each value the nearest of their steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.quantize import (
    dequantize_opacities,
    dequantize_positions,
    log_transform,
    nearest_entries,
    quantize_opacities,
    quantize_positions,
)

COORDINATES = st.floats(-1e6, 1e6, width=32)


@given(arrays.arrays(np.float32, st.tuples(st.integers(1, 30), st.just(3)), elements=COORDINATES))
def test_positions_are_within_half_a_step_of_log_space(positions: np.ndarray) -> None:
    means = quantize_positions(positions)
    span = means.maxs.astype(np.float64) - means.mins
    error = np.abs(log_transform(dequantize_positions(means)) - log_transform(positions))
    rounding = 4e-6  # of float32 bounds and results, in log space
    assert (error <= span / 65535 / 2 + rounding).all()


def test_one_position_is_kept() -> None:
    positions = np.array([[1.5, -2000.25, 0]], np.float32)
    means = quantize_positions(positions)
    assert means.steps.tolist() == [[0, 0, 0]]
    assert dequantize_positions(means) == pytest.approx(positions, rel=1e-6)


def test_the_greatest_step_is_the_greatest_position() -> None:
    means = quantize_positions(np.array([[0, 0, 0], [0.5, 7, 1e6]], np.float32))
    assert means.steps.tolist() == [[0, 0, 0], [65535] * 3]


@pytest.mark.parametrize(
    ("logit", "alpha"),
    [(np.inf, 255), (50, 255), (0, 128), (-50, 0), (-1e30, 0), (np.log(0.6 / 254.4), 1), (np.log(0.4 / 254.6), 0)],
)
def test_opacity_becomes_the_nearest_alpha(logit: float, alpha: int) -> None:
    assert quantize_opacities(np.array([logit], np.float32)).tolist() == [alpha]


def test_every_alpha_survives_its_logit() -> None:
    alphas = np.arange(256, dtype=np.uint8)
    logits = dequantize_opacities(alphas)
    assert np.isfinite(logits).all()
    assert np.array_equal(quantize_opacities(logits), alphas)


@given(
    arrays.arrays(np.float32, (17,), elements=st.floats(-10, 10, width=32)),
    arrays.arrays(np.float32, (256,), elements=st.floats(-10, 10, width=32)).map(np.sort),
)
def test_no_entry_is_nearer_than_the_nearest(values: np.ndarray, codebook: np.ndarray) -> None:
    got = np.abs(codebook[nearest_entries(values, codebook)].astype(np.float64) - values)
    brute = np.abs(codebook[None].astype(np.float64) - values[:, None]).min(axis=1)
    assert got == pytest.approx(brute, abs=1e-12)
