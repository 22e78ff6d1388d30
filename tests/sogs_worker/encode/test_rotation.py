"""Packed quaternions are the same rotation within half a step of each stored component."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.cloud import upload
from sogs_worker.encode.rotation import pack_rotations, unpack_rotations
from sogs_worker.encode.symmetry import canonical_axes
from splat_builders import build_splats, covariances, replace

STEP = np.sqrt(2) / 255
QUATERNIONS = arrays.arrays(np.float32, (4,), elements=st.floats(-1e3, 1e3, width=32)).filter(
    lambda q: bool(np.linalg.norm(q) > 1e-3)
)


def pack(rotations: np.ndarray, level: int = 0) -> np.ndarray:
    packed: np.ndarray = pack_rotations(torch.from_numpy(rotations), torch.full((len(rotations),), level)).numpy()
    return packed


def canonical(rotations: np.ndarray) -> np.ndarray:
    """The encoder's own way to quaternions whose w is greatest and positive."""
    splats = replace(build_splats(len(rotations)), rotations=rotations)
    result: np.ndarray = canonical_axes(upload(splats, "cpu")).rotations.numpy()
    return result


@given(QUATERNIONS, st.integers(0, 6))
def test_the_three_stored_components_are_within_half_a_step(rotation: np.ndarray, level: int) -> None:
    unit = canonical(rotation[None])
    packed = pack(unit, level)
    got = unpack_rotations(packed)
    assert packed.dtype == np.uint8
    assert packed[0, 3] == 252
    assert np.abs(unit - got)[0, 1:].max() <= 2**level * STEP / 2 + 1e-6
    assert got[0, 0] >= 0
    if level <= 1:
        assert abs(np.linalg.norm(got) - 1) < 1e-3


@pytest.mark.parametrize("level", range(4))
def test_the_identity_stays_nearly_that(level: int) -> None:
    packed = pack(np.float32([[1, 0, 0, 0]]), level)
    assert packed[0].tolist() == [127, 127, 127, 252]
    assert unpack_rotations(packed)[0, 0] > 0.9999


def test_components_are_rounded_not_truncated() -> None:
    unit = canonical(np.random.default_rng(0).standard_normal((5000, 4)).astype(np.float32))
    cosine = (unit * unpack_rotations(pack(unit))).sum(axis=1)
    degrees = np.degrees(2 * np.arccos(np.minimum(1, cosine)))
    assert degrees.mean() < 0.4, "truncation would give about 0.68"


def test_the_order_and_signs_of_the_layout() -> None:
    """Against the format's own formula, written out for one quaternion."""
    packed = pack(np.float32([[0.9, 0.1, -0.3, 0.3]]) / np.float32(1.0))[0]
    assert packed.tolist() == [*(round(255 * (c * 2**0.5 / 2 + 0.5)) for c in (0.1, -0.3, 0.3)), 252]


@pytest.mark.parametrize("largest", range(4))
def test_bundles_of_others_may_leave_out_any_component(largest: int) -> None:
    """Decode by the format's own formula: the three are w, x, y, z without the one that alpha names."""
    packed = np.uint8([[10, 128, 200, 252 + largest]])
    rest = [(byte / 255 - 0.5) * 2**0.5 for byte in (10, 128, 200)]
    expected = np.insert(rest, largest, np.sqrt(1 - np.square(rest).sum()))
    assert unpack_rotations(packed)[0] == pytest.approx(expected, abs=1e-6)


def test_shapes_survive_the_bytes() -> None:
    """The ellipsoid, not the quaternion: what is left of the error after all names of its axes."""
    splats = build_splats(2000)
    cloud = canonical_axes(upload(splats, "cpu"))
    decoded = unpack_rotations(pack(cloud.rotations.numpy()))
    want = covariances(splats)
    got = covariances(replace(splats, rotations=decoded, scales=cloud.scales.numpy()))
    relative = np.linalg.norm(got - want, axis=(1, 2)) / np.linalg.norm(want, axis=(1, 2))
    assert relative.max() < 2 * np.sqrt(3) * STEP
