"""The codebook of intervals is the best there is: against every other way to cut, and against k-means."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.encode import intervals
from sogs_worker.encode.intervals import cut_intervals


def squared_error(values: np.ndarray, weights: np.ndarray, codebook: np.ndarray) -> float:
    nearest = np.abs(values[:, None].astype(float) - codebook[None]).min(axis=1)
    return float((weights * nearest**2).sum())


@given(st.integers(4, 10), st.integers(0, 2**32 - 1))
def test_no_other_cut_is_better(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.standard_normal(count).astype(np.float32), rng.integers(1, 9, count)
    ordered = np.argsort(values)
    points, counts = values[ordered].astype(float), weights[ordered]

    def means(cuts: tuple[int, ...]) -> np.ndarray:
        edges = (0, *cuts, count)
        spans = [slice(a, b) for a, b in itertools.pairwise(edges)]
        return np.array([np.average(points[span], weights=counts[span]) for span in spans])

    best = min(squared_error(points, counts, means(cuts)) for cuts in itertools.combinations(range(1, count), 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "ENTRIES", 3)
        codebook, entries = cut_intervals(values, weights)
    assert (weights * (codebook[entries] - values.astype(float)) ** 2).sum() == pytest.approx(best, abs=1e-6)


def test_values_get_their_nearest_entry_of_an_ascending_codebook() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.standard_normal(768).astype(np.float32), rng.integers(0, 1000, 768)
    codebook, entries = cut_intervals(values, weights)
    assert (codebook.dtype, len(codebook), entries.dtype) == (np.float32, 256, np.uint8)
    assert (np.diff(codebook) > 0).all()
    nearest = np.abs(values[:, None] - codebook[None]).min(axis=1)
    assert np.abs(values - codebook[entries]) == pytest.approx(nearest, abs=1e-6)


def test_values_that_never_occur_move_nothing() -> None:
    values = np.arange(300, dtype=np.float32)
    weights = np.where(values < 256, 1, 0)
    codebook, entries = cut_intervals(values, weights)
    assert np.array_equal(codebook, values[:256])
    assert entries[256:].tolist() == [255] * 44


@pytest.mark.parametrize("count", [1, 256])
def test_few_values_are_the_codebook(count: int) -> None:
    values = np.linspace(-1, 1, count).astype(np.float32)
    codebook, entries = cut_intervals(values[::-1], np.ones(count, int))
    assert np.array_equal(codebook[entries], values[::-1])


def test_without_any_weight_all_count_alike() -> None:
    values = np.linspace(-1, 1, 600).astype(np.float32)
    codebook, entries = cut_intervals(values, np.zeros(600))
    assert np.array_equal(codebook[entries], cut_intervals(values, np.ones(600))[0][entries])
