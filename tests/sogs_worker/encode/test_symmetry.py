"""Every name of an ellipsoid becomes one of a kind, and the ellipsoid stays the same."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.cloud import upload
from sogs_worker.encode.symmetry import canonical_axes
from sogs_worker.splats import ARRAYS, Splats
from splat_builders import build_splats, covariances, replace

QUATERNIONS = arrays.arrays(np.float32, (4,), elements=st.floats(-1, 1, width=32)).filter(
    lambda q: bool(np.linalg.norm(q) > 1e-3)
)
NORMS = st.sampled_from([1e-38, 1e-20, 1e-3, 1.0, 1e3, 1e30])
AXES = arrays.arrays(np.float32, (3,), elements=st.floats(-6, 6, width=32))


def canonical(splats: Splats) -> Splats:
    cloud = canonical_axes(upload(splats, "cpu"))
    return Splats(*(getattr(cloud, name).numpy() for name in ARRAYS))


def check_same_ellipsoids(splats: Splats) -> None:
    got = canonical(splats)
    want = covariances(splats)
    error = np.abs(covariances(got) - want).max(axis=(1, 2))
    assert (error <= 1e-5 * np.abs(want).max(axis=(1, 2))).all()
    assert (np.diff(got.scales, axis=1) <= 0).all()
    assert (got.rotations[:, 0] >= np.abs(got.rotations).max(axis=1) - 1e-6).all()
    assert np.abs(np.linalg.norm(got.rotations, axis=1) - 1).max() < 1e-6
    for name in ("positions", "opacities", "sh0", "shn"):
        assert np.array_equal(getattr(got, name), getattr(splats, name))


@given(QUATERNIONS, AXES, NORMS)
def test_the_ellipsoid_stays_the_same(rotation: np.ndarray, axes: np.ndarray, norm: float) -> None:
    scaled = (rotation.astype(np.float64) / np.linalg.norm(rotation) * norm).astype(np.float32)
    # What float32 leaves of a tiny quaternion is the one that counts.
    check_same_ellipsoids(replace(build_splats(1), rotations=scaled[None], scales=axes[None]))


@pytest.mark.parametrize("order", list(itertools.permutations((2.0, -1.0, -3.0))))
@pytest.mark.parametrize("component", range(4))
def test_every_order_of_axes_and_every_greatest_component(order: tuple[float, ...], component: int) -> None:
    rotations = np.float32([[0.2, -0.3, 0.1, 0.25], [0, 0, 0, 0]])
    rotations[:, component] = [-0.8, 1]
    splats = replace(build_splats(2), rotations=rotations, scales=np.float32([order, order]))
    check_same_ellipsoids(splats)


def test_all_names_of_an_ellipsoid_become_one() -> None:
    """Six orders of the axes with the rotation that belongs to each, found by way of the covariance alone."""
    named = build_splats(50)
    axes = np.sort(named.scales)[:, ::-1]
    once = canonical(replace(named, scales=np.ascontiguousarray(axes)))
    assert np.array_equal(once.scales, axes)
    half_turns = np.float32([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    w, x, y, z = once.rotations.T
    products = {
        0: (-x, w, z, -y),
        1: (-y, -z, w, x),
        2: (-z, y, -x, w),
    }
    for turn in range(len(half_turns)):
        again = canonical(replace(once, rotations=-np.stack(products[turn], axis=1)))
        assert np.abs(again.rotations - once.rotations).max() < 1e-6
        assert np.array_equal(again.scales, once.scales)


def test_it_is_idempotent() -> None:
    once = canonical(build_splats(500))
    twice = canonical(once)
    assert np.abs(twice.rotations - once.rotations).max() < 1e-6
    assert np.array_equal(twice.scales, once.scales)


def test_equal_axes_keep_their_order() -> None:
    splats = replace(build_splats(3), scales=np.full((3, 3), -4, np.float32), rotations=np.float32([[1, 0, 0, 0]] * 3))
    assert np.array_equal(canonical(splats).rotations, splats.rotations)


@pytest.mark.parametrize("axes", [(-50, 50, 0), (3e38, -3e38, 0), (88, 89, -120)])
def test_lengths_beyond_numbers_are_only_sorted(axes: tuple[float, float, float]) -> None:
    got = canonical(replace(build_splats(1), scales=np.float32([axes])))
    assert got.scales[0].tolist() == sorted(np.float32(axes).tolist(), reverse=True)
    assert np.linalg.norm(got.rotations[0]) == pytest.approx(1, abs=1e-6)
