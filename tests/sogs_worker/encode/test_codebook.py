"""Codebooks: exact for few values, optimal on small cases, sane on odd ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sogs_worker.encode import codebook as module
from sogs_worker.encode.codebook import build_codebook
from sogs_worker.encode.quantize import nearest_entries


def squared_error(values: np.ndarray, codebook: np.ndarray, weights: np.ndarray | None = None) -> float:
    error = (codebook[nearest_entries(values, codebook)].astype(np.float64) - values) ** 2
    return float((error if weights is None else weights * error).sum())


def brute_force(values: np.ndarray, weights: np.ndarray, size: int) -> float:
    """Try all ways to cut sorted values into runs."""
    order = np.argsort(values)
    best = np.inf
    for cuts in itertools.combinations(range(1, len(values)), size - 1):
        total = 0.0
        for run in np.split(order, cuts):
            mean = np.average(values[run], weights=weights[run])
            total += float((weights[run] * (values[run] - mean) ** 2).sum())
        best = min(best, total)
    return best


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=256))
def test_up_to_256_values_are_kept_exactly(values: list[float]) -> None:
    given_values = np.array(values, np.float32)
    book = build_codebook(given_values)
    assert book.shape == (256,)
    assert book.dtype == np.float32
    assert (np.diff(book) >= 0).all()
    assert np.array_equal(book[nearest_entries(given_values, book)], given_values)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_a_small_codebook_is_optimal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=11).astype(np.float32)
    weights = rng.uniform(0.1, 10, 11)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIZE", 4)
        patch.setattr(module, "BINS", 4096)  # each value in a bin of its own
        book = build_codebook(values, weights)
    assert squared_error(values, book, weights) == pytest.approx(brute_force(values, weights, 4), rel=1e-4)


ODD = {
    "normal": lambda rng: rng.normal(size=20000),
    "two far clusters": lambda rng: np.concatenate([rng.normal(size=9000), rng.normal(1e6, 1, 9000)]),
    "one huge outlier": lambda rng: np.append(rng.normal(size=9000), 1e30),
    "huge outliers on both sides": lambda rng: np.append(rng.normal(size=9000), [1e20, -1e20]),
    "mostly one value": lambda rng: np.append(np.zeros(9000), rng.normal(size=1000)),
    "257 values": lambda _: np.arange(257.0),
    "heavy tails": lambda rng: rng.standard_cauchy(20000),
}


@pytest.mark.parametrize("name", ODD)
def test_it_beats_even_steps_and_even_shares(name: str) -> None:
    values = ODD[name](np.random.default_rng(0)).astype(np.float32)
    book = build_codebook(values)
    assert book.shape == (256,)
    assert np.isfinite(book).all()
    assert (np.diff(book) >= 0).all()
    shares = np.quantile(values, (np.arange(256) + 0.5) / 256).astype(np.float32)
    for other in (np.linspace(values.min(), values.max(), 256).astype(np.float32), shares):
        assert squared_error(values, book) <= squared_error(values, other)


def test_huge_outliers_leave_the_rest_its_entries() -> None:
    values = np.random.default_rng(0).normal(size=9000).astype(np.float32)
    book = build_codebook(np.append(values, [1e30, -1e30]).astype(np.float32))
    assert squared_error(values, book) < 5 * squared_error(values, build_codebook(values))


def test_weights_move_entries_to_the_heavy_values() -> None:
    values = np.random.default_rng(0).uniform(0, 2, 20000).astype(np.float32)
    book = build_codebook(values, np.where(values < 1, 100.0, 1.0))
    assert (book < 1).sum() > 180
