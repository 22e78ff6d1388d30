"""The Hilbert curve visits face neighbours, and the order is a permutation whatever the scene."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.encode.order import BITS, hilbert_keys, hilbert_order

CELLS = st.tuples(*[st.integers(0, 2**BITS - 1)] * 3)


@pytest.mark.parametrize("corner", [0, 2**BITS - 16], ids=["first corner", "last corner"])
def test_the_curve_through_an_aligned_cube_moves_one_step_at_a_time(corner: int) -> None:
    cells = np.array(list(itertools.product(range(16), repeat=3)), np.uint64) + np.uint64(corner)
    keys = hilbert_keys(cells)
    path = cells[np.argsort(keys)].astype(np.int64)
    assert np.array_equal(np.sort(keys) - keys.min(), np.arange(16**3))
    assert (np.abs(np.diff(path, axis=0)).sum(axis=1) == 1).all()


@given(st.lists(CELLS, min_size=2, max_size=50, unique=True))
def test_keys_are_distinct_and_fit_63_bits(cells: list[tuple[int, int, int]]) -> None:
    keys = hilbert_keys(np.array(cells, np.uint64))
    assert len(np.unique(keys)) == len(cells)
    assert keys.max() < 2**63


def test_equal_positions_keep_their_order() -> None:
    assert hilbert_order(np.ones((5, 3), np.float32)).tolist() == [0, 1, 2, 3, 4]


def test_an_outlier_does_not_collapse_the_rest_into_one_cell() -> None:
    rng = np.random.default_rng(0)
    positions = rng.uniform(-1, 1, (2000, 3)).astype(np.float32)
    positions[7] = 1e6
    order = hilbert_order(positions)
    steps = np.linalg.norm(np.diff(positions[order], axis=0), axis=1)
    assert sorted(order) == list(range(2000))
    assert np.median(steps) < 0.2, "neighbours in the order must be neighbours in space"
