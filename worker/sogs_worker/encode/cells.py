"""The nearest of many centroids, on the CPU or a GPU, looked for in the nearest cells of a coarse partition only.

The search is that of an inverted file: points and centroids are sorted into cells, and a point is compared with the
centroids of the cells nearest to its own. With the square root of K cells and P of them searched, N points cost
N * P * sqrt(K) distances instead of N * K, and these are never held at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.budget import at_once

BLOCK = {"cpu": 1 << 20, "cuda": 1 << 27}
"""Distances computed at once, by device: about what a CPU's cache holds (4 MiB), and enough to keep a GPU busy."""

PIECE = {"cpu": 1 << 31, "cuda": 1 << 10}
"""Points of a cell that are searched for at once: on a GPU, that waits for calls, many pieces alike are one batch."""

NEIGHBOUR_PROBES = 4
"""Cells searched for a centroid's nearest neighbour."""


@dataclass(frozen=True)
class Cells:
    """Points sorted by the cell of a coarse partition that they lie in.

    Attributes:
        centers: (G, D) float32.
        points: (N, D) float32, those of cell 0 first.
        order: (N,) int64, where each of `points` was before it was sorted.
        sizes: points of each cell.
    """

    centers: Tensor
    points: Tensor
    order: Tensor
    sizes: list[int]

    def restore(self, values: Tensor) -> Tensor:
        """Bring (N,) values of the sorted points into the order that the points had before."""
        return torch.empty_like(values).index_copy_(0, self.order, values)


@dataclass(frozen=True)
class _Candidates:
    """Centroids that the points of each cell are compared with.

    Attributes:
        indices: (C,) int64, those of cell 0 first, ascending within a cell.
        sizes: candidates of each cell, at least one.
    """

    indices: Tensor
    sizes: list[int]


def partition(points: Tensor, centers: Tensor) -> Cells:
    """Sort points into the cells of the centers nearest to them."""
    homes = nearest(points, centers)
    order = homes.argsort(stable=True)
    return Cells(centers, points[order], order, torch.bincount(homes, minlength=len(centers)).tolist())


def assign(cells: Cells, centroids: Tensor, *, probes: int) -> Tensor:
    """Find the nearest centroid of each of the sorted points, (N,) int64; ties go to the lowest index.

    Only centroids in the `probes` cells nearest to the point's own are looked at, unless there are none.
    """
    if probes >= len(cells.centers):
        return nearest(cells.points, centroids)
    return _search(cells, centroids, probes)


def nearest_others(centroids: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Return each centroid's squared distance to the nearest other one, (K,), and which that is, (K,) int64."""
    cells = partition(centroids, centers)
    neighbours = cells.restore(_search(cells, centroids, NEIGHBOUR_PROBES, own=cells.order))
    return (centroids - centroids[neighbours]).square().sum(dim=1), neighbours


def nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Compare all points with all centroids, a block at a time; (N,) int64, ties go to the lowest index."""
    bound = _with_norms(centroids).T
    rows = max(1, at_once(BLOCK, points.device) // len(centroids))
    found = torch.empty(len(points), dtype=torch.int64, device=points.device)
    for first in range(0, len(points), rows):  # results kept one by one would split the heap between the blocks
        found[first : first + rows] = _argmin(_with_ones(points[first : first + rows]) @ bound)
    return found


def _search(cells: Cells, centroids: Tensor, probes: int, own: Tensor | None = None) -> Tensor:
    """Find each sorted point's nearest candidate of its cell, but not its `own`; (N,) int64, as that is."""
    candidates = _candidates(cells.centers, centroids, probes)
    points, bound = cells.points, _with_norms(centroids)
    # What pads the lists of candidates is never the least; what pads the lists of points is put behind the last one.
    bound = torch.cat([bound, torch.nn.functional.pad(bound.new_full((1, 1), torch.inf), (bound.shape[1] - 1, 0))])
    found = torch.empty(len(points) + 1, dtype=torch.int64, device=points.device)
    block = at_once(BLOCK, points.device)
    for rows, columns in _batches(cells, candidates, missing=len(centroids)):
        compared = bound[columns].mT
        for part in torch.split(rows, max(1, block // columns.numel()), dim=1):
            number = part.clamp_max(len(points) - 1)
            scores = _with_ones(points[number]) @ compared
            if own is not None:
                scores.masked_fill_(own[number][:, :, None] == columns[:, None], torch.inf)
            found[part] = columns.gather(1, _argmin(scores))
    return found[: len(points)]


def _candidates(centers: Tensor, centroids: Tensor, probes: int) -> _Candidates:
    """Find, for each cell, the centroids in the nearest cells; all if there are none."""
    homes = nearest(centroids, centers)
    spread = torch.cdist(centers, centers, compute_mode="donot_use_mm_for_euclid_dist")
    near = spread.argsort(dim=1, stable=True)[:, :probes]
    reachable = torch.zeros(spread.shape, dtype=torch.bool, device=centers.device).scatter_(1, near, value=True)
    compared = reachable[:, homes]
    compared |= ~compared.any(dim=1, keepdim=True)
    return _Candidates(compared.nonzero()[:, 1], compared.sum(dim=1).tolist())


def _batches(cells: Cells, candidates: _Candidates, missing: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut the cells into pieces, and put pieces alike into batches of about a block of distances.

    Yields:
        (B, R) int64 points of B pieces, N where one has fewer, and (B, C) int64 candidates, `missing` where fewer.
    """
    device, count = cells.points.device, len(cells.points)
    block = at_once(BLOCK, device)
    pieces = _pieces(np.array(cells.sizes), np.array(candidates.sizes), PIECE[device.type])
    first, most = 0, max(candidates.sizes)
    while first < len(pieces):
        step = max(1, block // (int(pieces[first, 1]) * most))
        batch = pieces[first : first + step]
        points, candidate = (torch.arange(int(batch[:, place].max()), device=device) for place in (1, 3))
        start, size, start_of_candidates, compared = torch.from_numpy(batch).to(device).T[:, :, None]
        indices = candidates.indices[(start_of_candidates + candidate).clamp_max(len(candidates.indices) - 1)]
        yield torch.where(points < size, start + points, count), torch.where(candidate < compared, indices, missing)
        first += step


def _pieces(sizes: NDArray[np.int64], counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Cut cells of `sizes` points and `counts` candidates, (G,) each, into pieces of at most `most` points.

    Returns:
        (P, 4) int64, each piece's first point, number of points, first candidate and number of candidates; the largest
        come first.
    """
    parts = -(-sizes // most)
    cell = np.repeat(np.arange(len(sizes)), parts)
    within = most * (np.arange(len(cell)) - np.repeat(np.cumsum(parts) - parts, parts))
    rows = np.minimum(most, sizes[cell] - within)
    pieces = [np.cumsum(sizes)[cell] - sizes[cell] + within, rows, np.cumsum(counts)[cell] - counts[cell], counts[cell]]
    return np.stack(pieces, axis=1)[np.lexsort((counts[cell], rows))[::-1]]


def _with_ones(points: Tensor) -> Tensor:
    return torch.nn.functional.pad(points, (0, 1), value=1.0)


def _with_norms(centroids: Tensor) -> Tensor:
    """Return (K, D + 1) rows [-2c, |c|^2]: times [x, 1] they give |x - c|^2 - |x|^2, which is least where that is."""
    return torch.cat([-2 * centroids, centroids.square().sum(dim=1, keepdim=True)], dim=1)


def _argmin(scores: Tensor) -> Tensor:
    """Return where the least score of each row, the last dimension, is."""
    if scores.device.type == "cpu":  # NumPy's argmin uses vector instructions; torch's took 10 times as long
        return torch.from_numpy(scores.numpy().argmin(axis=-1))
    return scores.argmin(dim=-1)
