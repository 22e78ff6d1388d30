"""The best codebook for values that are known one by one: exact, since in one dimension its cells are intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sogs_worker.splats import Floats

ENTRIES = 256


def cut_intervals(values: Floats, weights: NDArray[np.number]) -> tuple[Floats, NDArray[np.uint8]]:
    """Share a codebook among values so that the sum of weighted squared errors is the least there is.

    Sorted values are cut into intervals by dynamic programming over where each begins (Bruce, "Optimum Quantization",
    MIT 1965), in time that grows with 256 M^2.

    Args:
        values: (M,) finite, some hundreds.
        weights: (M,), how often each occurs or how much it matters; one of 0 moves nothing.

    Returns:
        The codebook, (256,) float32, ascending, and the entry of each value, (M,). Where no more than 256 different
        values have a weight, they are the codebook.
    """
    points, place = np.unique(values, return_inverse=True)
    counts = np.bincount(place, weights=weights).astype(float)
    if not counts.any():
        counts = np.ones(len(points))
    used = points[counts > 0]
    if len(used) <= ENTRIES:
        codebook = np.pad(used, (0, ENTRIES - len(used)), mode="edge")
    else:
        codebook = _means_of_intervals(used.astype(float), counts[counts > 0]).astype(np.float32)
    middles = (codebook[1:].astype(float) + codebook[:-1]) / 2
    return codebook, np.searchsorted(middles, values, side="left").astype(np.uint8)


def _means_of_intervals(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means, ascending, of the 256 intervals into which it is best to cut more points than that."""
    centred = points - np.average(points, weights=weights)
    zeroth, first, second = (np.concatenate([[0.0], np.cumsum(weights * centred**power)]) for power in (0, 1, 2))
    mass = zeroth[None, :] - zeroth[:, None]
    moment = first[None, :] - first[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = second[None, :] - second[:, None] - moment**2 / mass  # of points i to j - 1 as one interval
    error[mass <= 0] = np.inf
    best = error[0]
    begins = np.zeros((ENTRIES, len(best)), np.intp)
    for interval in range(1, ENTRIES):
        totals = best[:, None] + error
        begins[interval] = totals.argmin(axis=0)
        best = np.take_along_axis(totals, begins[interval][None], axis=0)[0]
    edges = [len(points)]
    for interval in range(ENTRIES - 1, -1, -1):
        edges.append(int(begins[interval][edges[-1]]))
    groups = zip(edges[:0:-1], edges[-2::-1], strict=True)
    return np.array([np.average(points[begin:end], weights=weights[begin:end]) for begin, end in groups])
