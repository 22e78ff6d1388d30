"""The palette of spherical harmonics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from sogs_worker.encode import palette as module
from sogs_worker.encode.palette import Palette, PaletteEffort, TrainedPalette, label_splats, palette_size, train_palette
from sogs_worker.splats import SH_COEFFICIENTS

EFFORT = PaletteEffort(splats_per_entry=8, step=0.1, iterations=4, probes=4, final_probes=8)
UNLIMITED = replace(EFFORT, final_probes=10**6)


def coefficients(count: int, bands: int = 3, seed: int = 0) -> Tensor:
    return 0.2 * torch.randn(count, SH_COEFFICIENTS[bands], 3, generator=torch.Generator().manual_seed(seed))


def train(
    shn: Tensor, weights: Tensor | None = None, *, effort: PaletteEffort = EFFORT, seed: int = 0
) -> TrainedPalette:
    # A copy, since it is overwritten.
    return train_palette(shn.clone(), torch.ones(len(shn)) if weights is None else weights, effort=effort, seed=seed)


def build(shn: Tensor, weights: Tensor | None = None, *, effort: PaletteEffort = EFFORT, seed: int = 0) -> Palette:
    return label_splats(train(shn, weights, effort=effort, seed=seed))


def decode(palette: Palette) -> np.ndarray:
    return palette.codebook[palette.entries][palette.labels]


def check_palette(palette: Palette, shn: Tensor) -> None:
    """What readers rely on, and the order that compresses well."""
    uses = np.bincount(palette.labels, minlength=len(palette.entries))
    assert palette.entries.dtype == np.uint8
    assert palette.entries.shape == (len(uses), *shn.shape[1:])
    assert palette.codebook.shape == (256,)
    assert np.isfinite(palette.codebook).all()
    assert (np.diff(palette.codebook) >= 0).all()
    assert palette.labels.dtype == np.uint16
    assert palette.labels.shape == (len(shn),)
    assert uses.min() >= 1
    assert (np.diff(uses) <= 0).all()
    assert len(uses) <= max(64, len(shn))


@pytest.mark.parametrize(
    ("count", "size"), [(1, 64), (130, 64), (1600, 200), (200_000, 25_000), (524_288, 65_536), (10**7, 65_536)]
)
def test_a_palette_has_64_to_65536_entries(count: int, size: int) -> None:
    assert palette_size(count, 8) == size


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("bands", [1, 2, 3])
def test_entries_are_used_and_ordered_by_use(count: int, bands: int) -> None:
    shn = coefficients(count, bands)
    palette = build(shn)
    check_palette(palette, shn)
    error = ((decode(palette) - shn.numpy()) ** 2).sum()
    assert error < 0.9 * float(shn.square().sum())


@settings(max_examples=25)
@given(
    st.integers(1, 200),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, 1e-30, 1.0, 1e6, 1e30]),
    st.booleans(),
)
def test_any_finite_coefficients_have_a_palette(
    count: int, bands: int, seed: int, scale: float, with_duplicates: bool
) -> None:
    shn = scale * coefficients(count, bands, seed % 1000)
    shn = shn[torch.arange(count) % 7] if with_duplicates else shn
    weights = torch.rand(count, generator=torch.Generator().manual_seed(seed)).clamp_min(1e-4)
    palette = build(shn, weights, effort=UNLIMITED, seed=seed)
    check_palette(palette, shn)
    if with_duplicates:
        assert len(palette.entries) <= 7
        assert np.array_equal(decode(palette), decode(palette)[np.arange(count) % 7])


def test_few_splats_keep_their_own_coefficients() -> None:
    shn = coefficients(50)
    palette = build(shn)
    error = np.abs(decode(palette) - shn.numpy())
    assert error.max() <= np.diff(palette.codebook).max() / 2 + 1e-6
    assert error.mean() < 0.2 * EFFORT.step


def nearest_distances(palette: Palette, shn: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the distance of each splat to the entry that it has, and to the nearest of all, by brute force."""
    table = palette.codebook[palette.entries].reshape(len(palette.entries), -1).astype(np.float64)
    rows = shn.flatten(1).numpy()
    distances = np.linalg.norm(rows[:, None] - table[None], axis=2)
    return distances[np.arange(len(rows)), palette.labels], distances.min(axis=1)


def test_each_splat_has_its_nearest_entry() -> None:
    shn = coefficients(3000, 1)
    got, least = nearest_distances(build(shn, effort=UNLIMITED), shn)
    assert np.abs(got - least).max() < 1e-5


def test_a_narrow_search_finds_nearly_the_nearest() -> None:
    shn = coefficients(3000, 1)
    got, least = nearest_distances(build(shn), shn)
    assert (got < least + 1e-5).mean() > 0.85
    assert np.square(got).sum() < 1.05 * np.square(least).sum()


def test_more_points_than_are_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shn = coefficients(3000, 1)
    whole = np.square(decode(build(shn)) - shn.numpy()).sum()
    monkeypatch.setattr(module, "TRAINING_POINTS", 1000)
    palette = build(shn)
    check_palette(palette, shn)
    assert np.square(decode(palette) - shn.numpy()).sum() < 1.4 * whole


def trained_on(count: int, shn: Tensor, weights: Tensor, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """Return the weighted error of a palette trained on so many splats at most, and what training told of it."""
    monkeypatch.setattr(module, "TRAINING_POINTS", count)
    effort = replace(UNLIMITED, splats_per_entry=50, step=0.01)
    squared = np.square(decode(build(shn, weights, effort=effort)) - shn.numpy()).sum(axis=1).mean(axis=1)
    return float(np.average(squared, weights=weights.numpy())), train(shn, weights, effort=effort).error


def test_one_splat_more_than_can_be_trained_on_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    shn = coefficients(4000, 1)
    weights = torch.rand(4000, generator=torch.Generator().manual_seed(1)).pow(6) + 1e-4
    whole, _ = trained_on(4000, shn, weights, monkeypatch)
    without_one, _ = trained_on(3999, shn, weights, monkeypatch)
    assert without_one == pytest.approx(whole, rel=0.02)


@pytest.mark.parametrize("share", [2, 4])
def test_a_sample_is_good_for_the_important_splats_and_tells_its_error(
    share: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shn = coefficients(8000, 1)
    weights = torch.rand(8000, generator=torch.Generator().manual_seed(1)).pow(6) + 1e-4
    whole, _ = trained_on(8000, shn, weights, monkeypatch)
    measured, told = trained_on(8000 // share, shn, weights, monkeypatch)
    assert measured < 1.12 * whole
    assert told == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("value", [0.0, -0.25, 1e-40, 1e20, 3e38])
@pytest.mark.parametrize("count", [50, 500])
def test_equal_coefficients_are_one_entry(value: float, count: int) -> None:
    palette = build(torch.full((count, 15, 3), value))
    assert len(palette.entries) == 1
    assert decode(palette) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("count", [60, 500, 2000])
@pytest.mark.parametrize("far", [1e3, 1e6])
def test_an_outlier_does_not_spoil_the_others(count: int, far: float) -> None:
    shn = coefficients(count, 1)
    plain = np.abs(decode(build(shn)) - shn.numpy())[1:].mean()
    shn[0] = far
    got = np.abs(decode(build(shn)) - shn.numpy())
    assert got[1:].mean() < 1.2 * plain + 0.02
    assert got[0].max() < 0.01 * far


def test_important_splats_are_coded_better() -> None:
    shn = coefficients(4000)
    weights = torch.where(torch.arange(4000) % 2 == 0, 1.0, 0.01)
    error = ((decode(build(shn, weights)) - shn.numpy()) ** 2).sum(axis=(1, 2))
    assert error[::2].mean() < 0.9 * error[1::2].mean()


@pytest.mark.parametrize("light", [1.0, 0.01, 1e-6])
def test_entries_of_little_weight_are_rounded_more_coarsely(light: float) -> None:
    """Each splat has an entry of its own here, so that nothing but rounding makes an error."""
    shn = coefficients(64)
    weights = torch.where(torch.arange(64) % 2 == 0, 1.0, light)
    squared = np.square(decode(build(shn, weights)) - shn.numpy()).mean(axis=(1, 2))
    ratio = float(np.sqrt(squared[1::2].mean() / squared[::2].mean()))
    assert {1.0: ratio == pytest.approx(1, rel=0.1), 0.01: ratio == pytest.approx(8, rel=0.15), 1e-6: ratio > 15}[light]


@pytest.mark.parametrize("scale", [1e-10, 1.0, 1e10])
def test_the_error_is_told_for_a_colour_channel(scale: float) -> None:
    shn = scale * coefficients(4000, 2)
    weights = torch.rand(4000, generator=torch.Generator().manual_seed(1)) + 0.1
    effort = replace(UNLIMITED, step=0.01, probes=10**6)
    squared = np.square(decode(build(shn, weights, effort=effort)) - shn.numpy()).sum(axis=1).mean(axis=1)
    measured = np.average(squared, weights=weights.numpy())
    assert train(shn, weights, effort=effort).error == pytest.approx(measured, rel=0.05)


def test_splats_with_an_entry_of_their_own_have_no_error() -> None:
    assert train(coefficients(50)).error == 0


def test_finer_steps_and_more_entries_are_nearer() -> None:
    shn = coefficients(3000, 2)
    errors = [
        float(np.square(decode(build(shn, effort=effort)) - shn.numpy()).mean())
        for effort in (replace(EFFORT, splats_per_entry=30), EFFORT, replace(EFFORT, splats_per_entry=3))
    ]
    assert errors == sorted(errors, reverse=True)
    coarse = build(shn, effort=replace(EFFORT, step=1.0))
    assert errors[1] < float(np.square(decode(coarse) - shn.numpy()).mean())


@settings(max_examples=20)
@given(st.integers(1, 3), st.floats(-4, 3), st.integers(0, 1000))
def test_a_palette_has_no_more_entries_than_its_error_asks_for(bands: int, power: float, seed: int) -> None:
    shn = coefficients(2000, bands, seed)
    whole = train(shn)
    enough = whole.error * 10**power
    thinned = train_palette(shn.clone(), torch.ones(2000), effort=EFFORT, enough=enough, seed=0)
    if power <= 0:
        assert torch.equal(thinned.centroids, whole.centroids)
    else:
        assert len(thinned.centroids) <= len(whole.centroids)
        assert whole.error <= thinned.error <= enough


def test_steps_are_wider_where_the_palette_is_far_from_the_splats() -> None:
    """Without an entry for every splat noise is 40 % off; copies of a few are met exactly."""
    noise = coefficients(2000)
    copies = noise[torch.arange(2000) % 20]
    assert train(noise).step == pytest.approx(2 * EFFORT.step)
    assert train(copies).step == EFFORT.step
    some = torch.where(torch.arange(2000)[:, None, None] % 7 == 0, noise, copies)
    assert EFFORT.step < train(some).step < 2 * EFFORT.step


def test_the_same_seed_gives_the_same_palette_and_inputs_stay() -> None:
    shn = coefficients(1500)
    before = shn.clone()
    first, second, other = build(shn, seed=1), build(shn, seed=1), build(shn, seed=2)
    assert first.entries.tobytes() + first.labels.tobytes() == second.entries.tobytes() + second.labels.tobytes()
    assert first.labels.tobytes() != other.labels.tobytes()
    assert torch.equal(shn, before)
