"""Codebooks of even steps: exact for few values, half a step for most, sane at the tails; and coarser steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from sogs_worker.encode.lattice import MIDDLE, build_lattice, centre_entries, lattice_indices, snap

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
STEPS = st.floats(1e-6, 1e6)


def ones(values: Tensor) -> Tensor:
    return torch.ones_like(values)


def normal(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


def decode(values: Tensor, lattice: Tensor, levels: Tensor | int = 0) -> Tensor:
    return lattice[lattice_indices(values, lattice, levels).long()]


def check_codebook(lattice: Tensor, values: Tensor) -> None:
    assert lattice.shape == (256,)
    assert lattice.dtype == torch.float32
    assert lattice.isfinite().all()
    assert (lattice.diff() >= 0).all()
    assert lattice[0] <= values.min()
    assert lattice[-1] >= values.max()


@given(st.lists(FINITE, min_size=1, max_size=256), st.integers(1, 3), STEPS)
def test_up_to_256_distinct_values_are_kept_exactly(values: list[float], repeats: int, step: float) -> None:
    given_values = torch.tensor(values * repeats)
    lattice = build_lattice(given_values, ones(given_values), step)
    check_codebook(lattice, given_values)
    assert torch.equal(decode(given_values, lattice), given_values)


@settings(max_examples=50)
@given(
    st.lists(FINITE, min_size=1, max_size=20),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1e-20, 1.0, 1e20, 1e38]),
    st.sampled_from([0.0, 1e-9, 1.0]),
    STEPS,
)
def test_any_finite_values_get_a_sane_codebook_and_their_nearest_entry(
    odd: list[float], seed: int, scale: float, odd_weight: float, step: float
) -> None:
    values = torch.cat([normal(300, seed).clamp(-3, 3) * scale, torch.tensor(odd)])
    weights = torch.cat([torch.ones(300), torch.full((len(odd),), odd_weight)])
    lattice = build_lattice(values, weights, step * scale)
    check_codebook(lattice, values)
    wide = lattice.double()
    nearest = (values.double()[:, None] - wide).abs().min(dim=1).values
    got = (values.double() - wide[lattice_indices(values, lattice, 0).long()]).abs()
    assert (got <= nearest * (1 + 1e-6)).all()


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.floats(0.03, 3), st.integers(0, 5))
def test_values_within_reach_are_within_half_of_their_own_step(seed: int, step: float, level: int) -> None:
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.uniform(-100, -100 + 254 * step, 600).astype(np.float32))
    lattice = build_lattice(values, ones(values), step)
    check_codebook(lattice, values)
    error = (decode(values, lattice, level) - values).abs()
    slack = 3e-5  # float32 entries near 100
    assert (error <= step / 2 * 2**level + slack).all()
    indices = lattice_indices(values, lattice, level).long()
    assert ((indices == 255) | ((indices - MIDDLE) % 2**level == 0)).all()


def test_a_few_far_values_leave_the_others_their_steps() -> None:
    values = torch.cat([normal(200_000), torch.tensor([1e30, -1e20, 40.0, -9.0])])
    lattice = build_lattice(values, ones(values), 0.05)
    check_codebook(lattice, values)
    error = (decode(values, lattice) - values).abs()
    assert (error[:-4] <= 0.5 * 0.05 + 1e-5).float().mean() > 0.9999
    assert (error[-4:] <= 0.5 * values[-4:].abs()).all()


@pytest.mark.parametrize("count", [300, 3000, 30_000])
@pytest.mark.parametrize("far", [(1e6,), (1e6, -1e6), (1e30,)])
def test_an_outlier_as_heavy_as_any_does_not_spoil_the_others(count: int, far: tuple[float, ...]) -> None:
    values = torch.cat([normal(count), torch.tensor(far)])
    lattice = build_lattice(values, ones(values), 0.05)
    check_codebook(lattice, values)
    error = (decode(values, lattice)[:count] - values[:count]).abs()
    assert error.median() <= 0.1
    assert error.max() <= 1


def test_values_of_little_weight_give_way() -> None:
    """As in trained scenes: most axes of ordinary length and some anywhere between thin and nothing."""
    rng = np.random.default_rng(0)
    heavy = torch.from_numpy(rng.normal(-4, 0.7, 10_000).astype(np.float32))
    light = torch.from_numpy(rng.uniform(-25, -8, 5000).astype(np.float32))
    values = torch.cat([heavy, light])
    lattice = build_lattice(values, torch.cat([ones(heavy), 1e-9 * ones(light)]), 0.04)
    check_codebook(lattice, values)
    error = (decode(values, lattice) - values).abs()
    assert (error[:10_000] <= 0.5 * 0.04 + 1e-5).float().mean() > 0.999
    assert error[10_000:].max() < 3


def test_light_values_on_one_side_may_end_before_the_even_steps_do() -> None:
    values = torch.cat([0.3 * normal(1000), torch.tensor([-1000.0, 100.0])])
    weights = torch.cat([torch.ones(1000), torch.full((2,), 1e-6)])
    lattice = build_lattice(values, weights, 1.0)
    check_codebook(lattice, values)
    assert ((decode(values, lattice) - values).abs()[:1000] <= 0.5 + 1e-5).all()


def test_the_tails_grow_outwards() -> None:
    values = torch.cat([normal(200_000), torch.tensor([1e6, -1e6])])
    gaps = build_lattice(values, ones(values), 0.05).double().diff()
    tails = (gaps[:23].flip(0), gaps[-23:])
    for tail in tails:
        assert (tail.diff() >= -1e-6 * tail[1:]).all()
    even = gaps[40:-40]
    assert (even - even.mean()).abs().max() < 1e-5


def test_values_too_many_for_their_step_get_wider_ones() -> None:
    values = torch.linspace(-50, 50, 10_000)
    error = (decode(values, build_lattice(values, ones(values), 0.01)) - values).abs()
    assert error.max() <= 1.3 * 100 / 256 / 2


@given(st.lists(FINITE, min_size=1, max_size=128), st.integers(0, 5), STEPS)
def test_few_values_are_never_confused_with_each_other(values: list[float], level: int, step: float) -> None:
    """A codebook of few values is uneven: the next multiple of a coarse step can lie anywhere."""
    given_values = torch.tensor(values)
    lattice = build_lattice(given_values, ones(given_values), step)
    assert torch.equal(decode(given_values, lattice, level), given_values)


def test_a_fitted_codebook_is_kept_and_an_even_one_made_coarser() -> None:
    fitted = normal(256).sort().values
    lattice = build_lattice(fitted, ones(fitted), 0.01)
    assert torch.equal(decode(fitted, lattice, 3), fitted)
    even = torch.arange(256.0)
    coarse = decode(even, build_lattice(even, ones(even), 0.01), 3)
    assert (coarse - even).abs().max() == 4
    assert len(coarse.unique()) == 33


@given(
    arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(-7e4, 7e4)),
    st.integers(0, 7),
    st.sampled_from([(0, 255), (-128, 127), (-127, 128), (0, 65535)]),
)
def test_snapping_gives_multiples_within_bounds(places: np.ndarray, level: int, bounds: tuple[int, int]) -> None:
    least, greatest = bounds
    given_places = torch.from_numpy(places)
    got = snap(given_places, level, greatest, least)
    assert ((got >= least) & (got <= greatest)).all()
    inside = (got > least) & (got < greatest)
    assert (got[inside] % 2**level == 0).all()
    assert ((got - given_places.clamp(least, greatest)).abs() <= 2**level / 2).all()
    assert torch.equal(snap(got, level, greatest, least), got)


def test_each_place_has_its_own_level() -> None:
    got = snap(torch.full((5,), 21.0), torch.arange(5), 255)
    assert got.tolist() == [21, 20, 20, 24, 16]


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 600), st.floats(1e-3, 10))
def test_entries_become_the_means_of_their_values(seed: int, count: int, step: float) -> None:
    """At most half-way to the next: values of different levels would let entries pass each other."""
    rng = np.random.default_rng(seed)
    values = torch.from_numpy(rng.standard_normal(count).astype(np.float32))
    weights = torch.from_numpy(rng.uniform(1e-4, 1, count).astype(np.float32))
    levels = torch.from_numpy(rng.integers(0, 6, count))
    lattice = build_lattice(values, weights, step)
    indices = lattice_indices(values, lattice, levels)
    centred = centre_entries(lattice, values, weights, indices)
    assert centred.dtype == torch.float32
    assert (centred.diff() >= 0).all()
    halves = lattice.double().diff().numpy() / 2
    for entry in range(256):
        mine = (indices == entry).numpy()
        shift = (
            np.average(values.numpy()[mine], weights=weights.numpy()[mine]) - float(lattice[entry]) if mine.any() else 0
        )
        shift = np.clip(shift, -halves[entry - 1] if entry else 0, halves[entry] if entry < 255 else 0)
        assert float(centred[entry] - lattice[entry]) == pytest.approx(float(shift), abs=1e-4 * step + 1e-6)
    kept = (centred[indices.long()] - values).square() @ weights
    assert kept <= (lattice[indices.long()] - values).square() @ weights + 1e-6


@given(st.lists(FINITE, min_size=1, max_size=256))
def test_exact_entries_stay_exact(values: list[float]) -> None:
    given_values = torch.tensor(values)
    lattice = build_lattice(given_values, ones(given_values), 1.0)
    indices = lattice_indices(given_values, lattice, 0)
    assert torch.equal(centre_entries(lattice, given_values, ones(given_values), indices), lattice)


def test_a_centred_codebook_stays_finite_and_ascending_with_wild_values() -> None:
    values = torch.cat([normal(3000), torch.tensor([3.4e38, -3.4e38, 1e6])])
    lattice = build_lattice(values, ones(values), 0.05)
    centred = centre_entries(lattice, values, ones(values), lattice_indices(values, lattice, 0))
    check_codebook(centred, values)
    assert (centred[lattice_indices(values, lattice, 0).long()] - values)[:3000].abs().max() < 1
