"""Runs of rows, one after the other, in pieces of whole runs: what is computed of all rows would outgrow them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor


def cut_runs(sizes: Tensor, most: int) -> Iterator[tuple[slice, slice]]:
    """Cut runs of (R,) `sizes` into pieces of about `most` rows, more where a run is longer.

    Yields:
        The runs of a piece, and its rows.
    """
    starts = torch.nn.functional.pad(sizes.cumsum(0), (1, 0))
    total = int(starts[-1])
    limits = most * torch.arange(1, max(1, -(-total // most)), device=sizes.device)
    cuts = torch.searchsorted(starts[1:], limits, right=True)
    bounds = torch.stack([cuts, starts[cuts]], dim=1).tolist()
    for (run, row), (next_run, next_row) in pairwise([[0, 0], *bounds, [len(sizes), total]]):
        if run < next_run:
            yield slice(run, next_run), slice(row, next_row)
