"""Alphas are within half of their step, and none that can be seen vanishes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.encode.opacity import dequantize_opacities, quantize_opacities

LOGITS = st.one_of(st.floats(-60, 60, width=32), st.sampled_from([math.inf, -3e38, 3e38, -100.0, 100.0]))


def quantize(logits: list[float], levels: list[int] | None = None) -> list[int]:
    result: list[int] = quantize_opacities(torch.tensor(logits), torch.tensor(levels or [0] * len(logits))).tolist()
    return result


def alpha_of(logit: float) -> float:
    return 0.0 if logit < -700 else 1 / (1 + math.exp(-logit))


@given(LOGITS, st.integers(0, 5))
def test_alpha_is_within_half_of_its_step(logit: float, level: int) -> None:
    exact = 255 * alpha_of(float(np.float32(logit)))
    (got,) = quantize([logit], [level])
    assert abs(got - exact) <= 2**level / 2 + 1e-4
    if exact < 2 ** (level + 1):
        assert abs(got - exact) <= max(1, exact / 2) / 2 + 1e-4
    assert got % 2**level == 0 or got == 255 or exact < 2 ** (level + 1)


@given(st.integers(0, 5), st.floats(-5.53125, 60, width=32))
def test_what_can_be_seen_does_not_vanish(level: int, logit: float) -> None:
    assert quantize([logit], [level])[0] >= 1


@given(st.lists(LOGITS, min_size=2, max_size=20), st.integers(0, 5))
def test_a_greater_opacity_is_never_a_smaller_alpha(logits: list[float], level: int) -> None:
    alphas = quantize(sorted(logits), [level] * len(logits))
    assert alphas == sorted(alphas)


@pytest.mark.parametrize(
    ("logit", "alpha"),
    [
        (math.inf, 255),
        (50, 255),
        (0, 128),
        (-50, 0),
        (-1e30, 0),
        (math.log(0.6 / 254.4), 1),
        (math.log(0.4 / 254.6), 0),
    ],
)
def test_opacity_becomes_the_nearest_alpha(logit: float, alpha: int) -> None:
    assert quantize([logit]) == [alpha]


def test_every_alpha_survives_its_logit() -> None:
    alphas = np.arange(256, dtype=np.uint8)
    logits = dequantize_opacities(alphas)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()
    assert quantize(logits.tolist()) == alphas.tolist()
