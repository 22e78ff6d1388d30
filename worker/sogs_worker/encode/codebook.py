"""Codebooks of 256 values for one-dimensional data: dynamic programming over bins, then Lloyd's iteration."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Floats

Doubles = NDArray[np.float64]
Indices = NDArray[np.intp]

SIZE = 256
"""Entries of every codebook: an index is one byte."""

BINS = 512
"""Bins of equal width, and as many of equal weight: the first see the tails, the second the bulk beside outliers."""

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
    if len(points) <= SIZE:
        return np.arange(len(points) + 1)
    costs = _run_costs(points, mass)
    best = costs[0]
    choices = []
    for _ in range(SIZE - 1):
        totals = best[:, None] + costs
        choices.append(totals.argmin(axis=0))
        best = np.take_along_axis(totals, choices[-1][None], axis=0)[0]
    cuts = [len(points)]
    for choice in reversed(choices):
        cuts.append(int(choice[cuts[-1]]))
    return np.unique([*cuts, 0])


def _run_costs(points: Doubles, mass: Doubles) -> Doubles:
    """Return (M + 1, M + 1): squared error of one entry for points i to j - 1; 0 where i = j, infinite where i > j."""
    count = len(points)
    weights = np.triu(np.broadcast_to(mass, (count, count)))
    offsets = points[None] - points[:, None]
    total, moment, energy = (np.cumsum(weights * offsets**power, axis=1) for power in range(3))
    costs = np.full((count + 1, count + 1), np.inf)
    np.fill_diagonal(costs, 0.0)
    rows, columns = np.triu_indices(count)
    error = energy - moment**2 / np.where(total > 0, total, 1.0)
    costs[rows, columns + 1] = np.maximum(0.0, error[rows, columns])
    return costs


def _lloyd(points: Doubles, mass: Doubles, entries: Doubles) -> Doubles:
    """Move each entry to the mean of the points nearest to it; one without points vanishes."""
    middles = (entries[1:] + entries[:-1]) / 2
    inner = np.searchsorted(points, middles, side="right")
    return _run_means(points, mass, np.concatenate([[0], inner, [len(points)]]))[0]
