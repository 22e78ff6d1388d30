"""Pieces of whole runs hold all rows, once and in order."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from devices import on_every_device
from sogs_worker.encode.runs import cut_runs


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 50))
def test_pieces_are_whole_runs_of_few_rows(sizes: list[int], most: int) -> None:
    pieces = list(cut_runs(torch.tensor(sizes, dtype=torch.int64), most))
    assert [run for runs, _ in pieces for run in range(runs.start, runs.stop)] == list(range(len(sizes)))
    assert [row for _, rows in pieces for row in range(rows.start, rows.stop)] == list(range(sum(sizes)))
    for runs, rows in pieces:
        assert rows.stop - rows.start == sum(sizes[runs])
        assert rows.stop - rows.start < most + max(sizes[runs])


@on_every_device
def test_a_run_longer_than_a_piece_is_not_cut(device: str) -> None:
    pieces = list(cut_runs(torch.tensor([1, 9, 1], device=device), 4))
    assert pieces == [(slice(0, 1), slice(0, 1)), (slice(1, 3), slice(1, 11))]
