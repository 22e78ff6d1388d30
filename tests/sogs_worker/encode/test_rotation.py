"""Packed quaternions are the same rotation within half a step of each stored component."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.rotation import pack_rotations, unpack_rotations

HALF_STEP = np.sqrt(2) / 255 / 2
QUATERNIONS = arrays.arrays(np.float32, (4,), elements=st.floats(-1e3, 1e3, width=32)).filter(
    lambda q: bool(np.linalg.norm(q) > 1e-3)
)


@given(QUATERNIONS)
def test_the_three_stored_components_are_within_half_a_step(rotation: np.ndarray) -> None:
    packed = pack_rotations(rotation[None])
    unit = rotation.astype(np.float64) / np.linalg.norm(rotation.astype(np.float64))
    got = unpack_rotations(packed)[0].astype(np.float64)
    dropped = packed[0, 3] - 252
    signed = unit * (-1 if unit[dropped] < 0 else 1)
    assert abs(unit[dropped]) == np.abs(unit).max()
    assert np.abs(np.delete(signed - got, dropped)).max() <= HALF_STEP + 1e-6
    assert abs(np.linalg.norm(got) - 1) < 0.01


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("sign", [-1, 1])
def test_an_axis_rotation_is_nearly_exact(index: int, sign: int) -> None:
    rotation = np.zeros((1, 4), np.float32)
    rotation[0, index] = sign * 1e-20  # any norm but 0
    packed = pack_rotations(rotation)
    assert packed[0].tolist() == [128, 128, 128, 252 + index]
    assert np.abs(unpack_rotations(packed)[0, index]) > 0.9999


def test_components_are_rounded_not_truncated() -> None:
    rng = np.random.default_rng(0)
    rotations = rng.standard_normal((5000, 4)).astype(np.float32)
    unit = rotations / np.linalg.norm(rotations, axis=1, keepdims=True)
    cosine = np.abs((unit * unpack_rotations(pack_rotations(rotations))).sum(axis=1))
    degrees = np.degrees(2 * np.arccos(np.minimum(1, cosine)))
    assert degrees.mean() < 0.4, "truncation would give about 0.68"


def test_the_order_and_signs_of_the_layout() -> None:
    """Against the format's own formula, written out for one quaternion: y is largest and negative."""
    packed = pack_rotations(np.array([[0.1, 0.3, -0.9, 0.3]], np.float32))[0]
    expected = [round(255 * (c * 2**0.5 / 2 + 0.5)) for c in (-0.1, -0.3, -0.3)]
    assert packed.tolist() == [*expected, 254]
