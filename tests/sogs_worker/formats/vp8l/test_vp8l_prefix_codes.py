"""Prefix codes are the shortest that there are, none longer than allowed, and no code begins another."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sogs_worker.formats.sog.vp8l.prefix_codes import canonical_codes, code_lengths


def huffman_size(counts: list[int]) -> tuple[int, int]:
    """Return the bits of all symbols and the longest code, with codes without a limit."""
    heap = [(count, index, 0) for index, count in enumerate(counts) if count]
    heapq.heapify(heap)
    size = 0
    while len(heap) > 1:
        (first, _, low), (second, index, high) = heapq.heappop(heap), heapq.heappop(heap)
        size += first + second
        heapq.heappush(heap, (first + second, index, 1 + max(low, high)))
    return size, heap[0][2] if heap else 0


def least_size(counts: list[int], limit: int) -> int:
    """Return the least bits with limited codes, by trying every number of codes of every length."""
    used = sorted((count for count in counts if count), reverse=True)

    def search(first: int, length: int, room: int) -> float:
        if first == len(used):
            return 0
        if length > limit or room < 1:
            return float("inf")
        options = range(min(room, len(used) - first) + 1)
        return min(
            sum(used[first : first + taken]) * length + search(first + taken, length + 1, 2 * (room - taken))
            for taken in options
        )

    return int(search(0, 1, 2))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3000), min_size=30, max_size=30), min_size=1, max_size=5))
def test_codes_are_as_short_as_huffmans(rows: list[list[int]]) -> None:
    counts = torch.tensor(rows)
    lengths = code_lengths(counts)
    for row, found in zip(rows, lengths.tolist(), strict=True):
        size, longest = huffman_size(row)
        if longest <= 15 and np.count_nonzero(row) > 1:
            assert sum(c * n for c, n in zip(row, found, strict=True)) == size
        assert all((count > 0) == (length > 0) for count, length in zip(row, found, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=2, max_size=9), st.integers(3, 5))
def test_limited_codes_are_the_shortest(row: list[int], limit: int) -> None:
    assume(2 <= np.count_nonzero(row) <= 2**limit)
    lengths = code_lengths(torch.tensor([row]), limit)[0].tolist()
    assert max(lengths) <= limit
    assert sum(c * n for c, n in zip(row, lengths, strict=True)) == least_size(row, limit)


@pytest.mark.parametrize("limit", [7, 15])
def test_very_uneven_counts_are_limited_and_fill_the_code_space(limit: int) -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(sum(fibonacci[-2:]))
    lengths = code_lengths(torch.tensor([fibonacci]), limit)[0]
    assert int(lengths.max()) == limit
    assert float((2.0**-lengths).sum()) == 1.0


def test_one_symbol_and_none() -> None:
    assert code_lengths(torch.tensor([[0, 0, 7], [0, 0, 0]])).tolist() == [[0, 0, 1], [0, 0, 0]]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=300))
def test_no_code_begins_another(row: list[int]) -> None:
    lengths = code_lengths(torch.tensor([row]))
    codes = canonical_codes(lengths)
    written = [
        format(code & ((1 << length) - 1), f"0{length}b")[::-1]
        for code, length in zip(codes[0].tolist(), lengths[0].tolist(), strict=True)
        if length
    ]
    ordered = sorted(written)
    assert all(not after.startswith(before) for before, after in itertools.pairwise(ordered))
