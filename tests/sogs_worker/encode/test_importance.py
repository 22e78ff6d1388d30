"""Which splats are worth the finest steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sogs_worker.encode.cloud import upload
from sogs_worker.encode.importance import COARSEST, LEAST, TRUST, coarseness, importance
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace

WEIGHTS = arrays.arrays(np.float32, st.integers(1, 30), elements=st.floats(float(np.float32(LEAST)), 1, width=32))
STRENGTHS = st.floats(0, 1)


def weigh(splats: Splats, seen: np.ndarray | None = None) -> np.ndarray:
    """The importance of splats that cameras see alike, or as `seen` says."""
    energies = np.ones(len(splats)) if seen is None else seen
    return importance(upload(splats, "cpu"), torch.from_numpy(energies)).numpy()


def sphere(count: int = 400) -> Splats:
    """Half-transparent splats all alike on a unit sphere, but every tenth is large: those take the weight of 1."""
    directions = np.random.default_rng(0).standard_normal((count // 2, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scales = np.tile(np.float32([-4, -6, -5]), (count, 1))
    scales[::10] += 2
    return replace(
        build_splats(count),
        positions=np.concatenate([directions, -directions]).astype(np.float32),
        scales=scales,
        opacities=np.zeros(count, np.float32),
    )


def test_importance_is_bounded() -> None:
    weights = weigh(build_splats(1000))
    assert weights.dtype == np.float32
    assert weights.min() >= np.float32(LEAST)
    assert weights.max() == 1
    assert len(np.unique(weights)) > 300


@pytest.mark.parametrize(
    ("attribute", "value", "factor"),
    [
        ("opacities", 30.0, 4.0),  # alpha 1 instead of 1/2
        ("opacities", np.inf, 4.0),
        ("opacities", np.log(0.25 / 0.75), 0.25),
        ("scales", (-4, -6, -4), np.e),  # one of the longer axes
        ("scales", (-4, -30, -5), 1.0),  # the shortest
        ("scales", (-5, -4, -6), 1.0),  # the same by other names
    ],
)
def test_what_no_camera_says_is_alpha_squared_times_area(attribute: str, value: object, factor: float) -> None:
    splats = sphere()
    values = getattr(splats, attribute).copy()
    values[5] = value
    before, after = weigh(splats), weigh(replace(splats, **{attribute: values}))
    assert after[5] / before[5] == pytest.approx(factor ** (1 - TRUST), rel=1e-4)
    assert np.delete(after, 5) == pytest.approx(np.delete(before, 5), rel=1e-4)


def test_it_falls_with_the_square_of_the_distance() -> None:
    splats = sphere()
    positions = splats.positions.copy()
    positions[5] *= 10
    factor = weigh(replace(splats, positions=positions))[5] / weigh(splats)[5]
    assert factor == pytest.approx((2 / 101) ** (1 - TRUST), rel=0.1)


@pytest.mark.parametrize("factor", [0.5, 0.01])
def test_what_cameras_see_counts_to_the_power_of_trust(factor: float) -> None:
    seen = np.full(400, 7.0)
    seen[5] *= factor
    weights = weigh(sphere(), seen)
    assert weights[5] / weigh(sphere())[5] == pytest.approx(factor**TRUST, rel=1e-4)
    assert np.delete(weights, 5) == pytest.approx(np.delete(weigh(sphere()), 5))


def test_what_no_camera_sees_weighs_little_and_by_its_size_and_opacity() -> None:
    seen = np.ones(400)
    seen[:20] = 0  # two of them are large
    weights, others = weigh(sphere(), seen), weigh(sphere())
    assert (weights[:20] < 0.01 * others[:20]).all()
    assert weights[0] > 2 * weights[1]
    blind = weigh(sphere(), np.zeros(400))
    assert blind[1] / blind[0] == pytest.approx(others[1] / others[0])


def test_equal_splats_weigh_the_same() -> None:
    splats = build_splats(1).take(np.zeros(5, np.intp))
    assert weigh(splats).tolist() == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("attribute", ["positions", "scales", "opacities"])
@pytest.mark.parametrize("value", [-1e38, -50, 50, 1e38])
def test_one_wild_splat_leaves_the_others_their_weights(attribute: str, value: float) -> None:
    splats = sphere()
    values = getattr(splats, attribute).copy()
    values[5] = value
    after = weigh(replace(splats, **{attribute: values}))
    assert np.isfinite(after).all()
    assert ((after >= np.float32(LEAST)) & (after <= 1)).all()
    assert np.delete(after, 5) == pytest.approx(np.delete(weigh(splats), 5), rel=0.1)


@given(WEIGHTS, STRENGTHS)
def test_the_less_important_is_never_finer(weights: np.ndarray, strength: float) -> None:
    levels = coarseness(torch.from_numpy(weights), strength).numpy()
    assert ((levels >= 0) & (levels <= COARSEST)).all()
    assert (np.diff(levels[np.argsort(weights, kind="stable")]) <= 0).all()
    assert (levels[weights == 1] == 0).all()


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 1.0])
def test_the_step_grows_with_a_power_of_importance(strength: float) -> None:
    weights = torch.tensor([1, 1 / 4.01, 1 / 16.01, 1 / 256.01, 1 / 4100])
    exponents = [0, 2, 4, 8, 12]  # of 2, the inverse weight
    expected = [min(COARSEST, int(strength * each / 2)) for each in exponents]
    assert coarseness(weights, strength).tolist() == expected
