"""Codebooks of 256 values for one-dimensional data: dynamic programming over bins, then Lloyd's iteration."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sogs_worker.splats import Floats

Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]

SIZE = 256
"""Entries of every codebook: an index is one byte."""

BINS = 512
"""Bins of equal width, and as many of equal weight: the first see the tails, the second the bulk beside outliers."""

LONGEST_RUN = 128
"""Bins that one entry may stand for at first: with 4 bins an entry on average, more are hardly ever best."""

LLOYD_ITERATIONS = 20


def build_codebook(values: NDArray[np.floating], weights: NDArray[np.floating] | None = None) -> Floats:
    """Choose 256 entries that give values a small weighted squared error.

    Up to 256 distinct values are kept exactly. More are put into at most 1,023 bins, over which dynamic programming
    finds the best 256 runs (X. Wu, "Optimal quantization by matrix searching", 1991, by plain search); Lloyd's
    iteration on the values themselves then removes the bins' coarseness.

    Args:
        values: any shape, finite, at least one.
        weights: same shape, positive; None means all equal.

    Returns:
        (256,) float32, finite, ascending; a shorter codebook repeats its last entry.
    """
    flat = values.astype(np.float32).ravel()
    distinct = np.unique(flat)
    if len(distinct) <= SIZE:
        return _padded(distinct)
    order = np.argsort(flat, kind="stable")
    mass = np.ones(len(flat)) if weights is None else weights.ravel().astype(np.float64)[order]
    points = flat[order].astype(np.float64)
    bins = _run_means(points, mass, _bin_edges(points, mass))
    cuts = _best_cuts(*bins)
    entries = _run_means(*bins, cuts)[0]
    for _ in range(LLOYD_ITERATIONS):
        entries = _lloyd(points, mass, entries)
    return _padded(entries.astype(np.float32))


def _padded(entries: Floats) -> Floats:
    return np.concatenate([entries, np.full(SIZE - len(entries), entries[-1], np.float32)])


def _bin_edges(points: Doubles, mass: Doubles) -> Indices:
    """Return ascending indices into the points, from 0 to N, between which points are treated as one."""
    total = np.cumsum(mass)
    even = np.searchsorted(points, np.linspace(points[0], points[-1], BINS + 1)[1:-1])
    heavy = np.searchsorted(total, np.linspace(0, total[-1], BINS + 1)[1:-1])
    return np.unique(np.concatenate([[0], even, heavy, [len(points)]]))


def _run_means(points: Doubles, mass: Doubles, cuts: Indices) -> tuple[Doubles, Doubles]:
    """Return the weighted mean and the weight of each run of ascending points between cuts; empty runs are left out.

    The sums are taken run by run: differences of prefix sums would lose all digits behind one huge outlier.
    """
    runs = np.repeat(np.arange(len(cuts) - 1), np.diff(cuts))
    total: Doubles = np.bincount(runs, mass, minlength=len(cuts) - 1).astype(np.float64)
    moment: Doubles = np.bincount(runs, mass * points, minlength=len(cuts) - 1).astype(np.float64)
    filled = total > 0
    return moment[filled] / total[filled], total[filled]


def _best_cuts(points: Doubles, mass: Doubles) -> Indices:
    """Cut M ascending weighted points into at most 256 runs of least total squared error; return the runs' ends."""
    count = len(points)
    if count <= SIZE:
        return np.arange(count + 1)
    costs = _run_costs(points, mass)
    longest = costs.shape[1] - 1
    best = np.full(longest + count + 1, np.inf)  # by the end of the last run, after as many points of nothing
    best[longest] = 0.0
    choices = []
    for _ in range(SIZE):
        totals = sliding_window_view(best, longest + 1)[:, ::-1] + costs
        choices.append(totals.argmin(axis=1))
        best[longest:] = np.take_along_axis(totals, choices[-1][:, None], axis=1)[:, 0]
    cuts = [count]
    for lengths in reversed(choices):
        cuts.append(cuts[-1] - int(lengths[cuts[-1]]))
    return np.unique(cuts)


def _run_costs(points: Doubles, mass: Doubles) -> Doubles:
    """Return (M + 1, L + 1): error of one entry for the l points before point j, infinite where there are fewer."""
    count = len(points)
    longest = min(count, LONGEST_RUN)
    # Runs backwards from each end: nearest point first, then all before it.
    before = np.arange(1, count + 1)[:, None] - np.arange(1, longest + 1)
    weights = np.where(before >= 0, mass[before], 0.0)
    offsets = points[before] - points[:, None]
    total, moment, energy = (np.cumsum(weights * offsets**power, axis=1) for power in range(3))
    costs = np.full((count + 1, longest + 1), np.inf)
    costs[:, 0] = 0.0
    costs[1:, 1:] = np.where(before >= 0, np.maximum(0.0, energy - moment**2 / total), np.inf)
    return costs


def _lloyd(points: Doubles, mass: Doubles, entries: Doubles) -> Doubles:
    """Move each entry to the mean of the points nearest to it; one without points vanishes."""
    middles = (entries[1:] + entries[:-1]) / 2
    inner = np.searchsorted(points, middles, side="right")
    return _run_means(points, mass, np.concatenate([[0], inner, [len(points)]]))[0]
