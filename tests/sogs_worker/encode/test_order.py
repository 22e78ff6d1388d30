"""The Hilbert curve visits face neighbours, and the order is a permutation whatever the scene."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from sogs_worker.encode.order import BITS, hilbert_keys, hilbert_order

CELLS = st.tuples(*[st.integers(0, 2**BITS - 1)] * 3)
POSITIONS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 30), st.just(3)),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


def one_class(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.int64)


@pytest.mark.parametrize("corner", [0, 2**BITS - 16], ids=["first corner", "last corner"])
def test_the_curve_through_an_aligned_cube_moves_one_step_at_a_time(corner: int) -> None:
    cells = torch.tensor(list(itertools.product(range(16), repeat=3))) + corner
    keys = hilbert_keys(cells)
    path = cells[keys.argsort()]
    assert torch.equal(keys.sort().values - keys.min(), torch.arange(16**3))
    assert (path.diff(dim=0).abs().sum(dim=1) == 1).all()


@given(st.lists(CELLS, min_size=2, max_size=50, unique=True))
def test_keys_are_distinct_and_leave_room_for_a_class(cells: list[tuple[int, int, int]]) -> None:
    keys = hilbert_keys(torch.tensor(cells))
    assert len(keys.unique()) == len(cells)
    assert keys.min() >= 0
    assert keys.max() < 2**60


@given(CELLS, st.integers(0, 2), st.integers(1, BITS))
def test_cells_of_one_octant_have_consecutive_keys(cell: tuple[int, int, int], axis: int, bits: int) -> None:
    """All cells of an aligned cube of 2^bits lie between its first and its last on the curve."""
    size = 2**bits
    low = [each // size * size for each in cell]
    other = list(cell)
    other[axis] = low[axis] + (cell[axis] - low[axis] + size // 2) % size
    first, second = hilbert_keys(torch.tensor([cell, tuple(other)])).tolist()
    assert first >> (3 * bits) == second >> (3 * bits)
    assert first != second


@pytest.mark.parametrize("value", [0.0, 1.0, -1e30])
def test_equal_positions_keep_their_order_within_their_class(value: float) -> None:
    positions = torch.full((6, 3), value)
    assert hilbert_order(positions, one_class(6)).tolist() == [0, 1, 2, 3, 4, 5]
    assert hilbert_order(positions, torch.tensor([5, 0, 7, 0, 5, 1])).tolist() == [1, 3, 5, 0, 4, 2]


@given(POSITIONS, st.integers(0, 2**32 - 1))
def test_it_is_a_permutation_by_class_whatever_the_positions(positions: np.ndarray, seed: int) -> None:
    classes = torch.from_numpy(np.random.default_rng(seed).integers(0, 8, len(positions)))
    order = hilbert_order(torch.from_numpy(positions), classes)
    assert sorted(order.tolist()) == list(range(len(positions)))
    assert (classes[order].diff() >= 0).all()


def test_an_outlier_does_not_collapse_the_rest_into_one_cell() -> None:
    positions = torch.rand(2000, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    positions[7] = 1e6
    order = hilbert_order(positions, one_class(2000))
    steps = positions[order].diff(dim=0).norm(dim=1)
    assert steps.median() < 0.2, "neighbours in the order must be neighbours in space"
