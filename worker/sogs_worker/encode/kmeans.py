"""Weighted k-means for many centroids, on the CPU or a GPU, that searches only the nearest cells of a coarse partition.

The search is that of an inverted file: points and centroids are sorted into cells, and a point is compared with the
centroids of the cells nearest to its own. With the square root of K cells and P of them searched, an iteration costs
N * P * sqrt(K) distances instead of N * K. N x K distances are never held at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 1 << 22
"""Distances computed at once (16 MiB of float32): about what a CPU's cache holds."""

SEEDING_ROUNDS = 4

COARSE_ITERATIONS = 8

SAMPLE_PER_CELL = 256
"""Points a coarse cell is trained on: more do not move it."""


@dataclass(frozen=True)
class Cells:
    """A coarse partition of the points.

    Attributes:
        centers: (G, D) float32.
        members: G index tensors, ascending; together they hold each point once.
    """

    centers: Tensor
    members: tuple[Tensor, ...]


def lloyd(
    points: Tensor,
    weights: Tensor,
    *,
    cells: Cells,
    count: int,
    iterations: int,
    probes: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """Find centroids of small weighted squared error by Lloyd's iteration.

    A centroid without points moves to the point with the worst error. The same arguments on the same machine give the
    same bits.

    Args:
        points: (N, D) float32, finite, N > count.
        weights: (N,) float32, positive.
        cells: a partition of the points.
        count: number of centroids.
        iterations: of Lloyd.
        probes: cells searched for each point.
        seed: of the random draw.
        progress: told the fraction done after each iteration.

    Returns:
        (count, D) float32 on the points' device.
    """
    centroids = _seeds(points, weights, cells=cells, count=count, probes=probes, seed=seed)
    for iteration in range(iterations):
        labels = assign(points, centroids, cells=cells, probes=probes)
        centroids = _update(points, weights, labels, centroids)
        progress((iteration + 1) / iterations)
    return centroids


def assign(points: Tensor, centroids: Tensor, *, cells: Cells | None = None, probes: int = 0) -> Tensor:
    """Find the nearest centroid of each point, (N,) int64; ties go to the lowest index.

    With `cells`, only centroids in the `probes` cells nearest to the point's own are looked at.
    """
    if cells is None or probes >= len(cells.centers):
        return _nearest(points, centroids)
    homes = _nearest(centroids, cells.centers)
    spread = torch.cdist(cells.centers, cells.centers, compute_mode="donot_use_mm_for_euclid_dist")
    near = spread.argsort(dim=1, stable=True)[:, :probes]
    reachable = torch.zeros(spread.shape, dtype=torch.bool, device=points.device).scatter_(1, near, value=True)
    labels = torch.empty(len(points), dtype=torch.int64, device=points.device)
    for cell, members in enumerate(cells.members):
        candidates = torch.nonzero(reachable[cell][homes]).squeeze(1)
        if len(candidates) == 0:
            candidates = torch.arange(len(centroids), device=points.device)
        labels[members] = candidates[_nearest(points[members], centroids[candidates])]
    return labels


def partition(points: Tensor, weights: Tensor, *, count: int, seed: int) -> Cells:
    """Sort points into at most `count` coarse cells, trained on a sample."""
    sample = points[_draw(weights, min(len(points), count * SAMPLE_PER_CELL), seed)]
    equal = torch.ones(len(sample), device=points.device)
    centers = sample[:count]
    for _ in range(COARSE_ITERATIONS):
        centers = _update(sample, equal, _nearest(sample, centers), centers)
    labels = _nearest(points, centers)
    order = labels.argsort(stable=True)
    sizes = torch.bincount(labels, minlength=len(centers)).tolist()
    return Cells(centers, torch.split(order, sizes))


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """Compare all points with all centroids, a block at a time."""
    if len(points) == 0:
        return torch.empty(0, dtype=torch.int64, device=points.device)
    # |x - c|^2 = |x|^2 + [x, 1] . [-2c, |c|^2]: one product, and |x|^2 does not change which is least.
    bound = torch.cat([-2 * centroids, centroids.square().sum(dim=1, keepdim=True)], dim=1).T.contiguous()
    rows = max(1, BLOCK // len(centroids))
    blocks = (torch.nn.functional.pad(block, (0, 1), value=1.0) @ bound for block in torch.split(points, rows))
    return torch.cat([_argmin_rows(block) for block in blocks])


def _argmin_rows(scores: Tensor) -> Tensor:
    if scores.device.type == "cpu":  # NumPy's argmin uses vector instructions; torch's took 10 times as long
        return torch.from_numpy(scores.numpy().argmin(axis=1))
    return scores.argmin(dim=1)


def _draw(chances: Tensor, count: int, seed: int) -> Tensor:
    """Draw distinct indices with chances in proportion, by the exponential race (Efraimidis, Spirakis 2006)."""
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that all devices draw alike
    clocks = torch.empty(len(chances)).exponential_(generator=generator).to(chances.device)
    return (clocks / chances).sort(stable=True).indices[:count]


def _seeds(points: Tensor, weights: Tensor, *, cells: Cells, count: int, probes: int, seed: int) -> Tensor:
    """Choose points as first centroids, in rounds after k-means|| (Bahmani et al. 2012).

    In each round a point's chance is its weighted squared distance to the nearest one chosen before, at first to its
    cell's centre, so that later rounds go where the earlier ones left most error.
    """
    drawn = torch.empty(0, dtype=torch.int64, device=points.device)
    labels = torch.empty(len(points), dtype=torch.int64, device=points.device)
    for cell, members in enumerate(cells.members):
        labels[members] = cell
    centroids = cells.centers
    for drawing in range(SEEDING_ROUNDS):
        chances = _errors(points, weights, labels, centroids)
        chances[drawn] = 0
        wanted = count * (drawing + 1) // SEEDING_ROUNDS - len(drawn)
        drawn = torch.cat([drawn, _draw(chances, wanted, seed + drawing)])
        centroids = points[drawn]
        if drawing + 1 < SEEDING_ROUNDS:
            labels = assign(points, centroids, cells=cells, probes=probes)
    return centroids


def _errors(points: Tensor, weights: Tensor, labels: Tensor, centroids: Tensor) -> Tensor:
    """Return (N,): weighted squared distance of each point to its centroid."""
    return weights * (points - centroids[labels]).square().sum(dim=1)


def _update(points: Tensor, weights: Tensor, labels: Tensor, centroids: Tensor) -> Tensor:
    """Move each centroid to the weighted mean of its points; one without points moves to the worst point."""
    order = labels.argsort(stable=True)
    sizes = torch.bincount(labels, minlength=len(centroids))
    rows = torch.cat([points * weights[:, None], weights[:, None]], dim=1)[order]
    # Sums over sorted runs, not scattered atomic additions, whose order changes from run to run on a GPU.
    sums = torch.segment_reduce(rows, "sum", lengths=sizes, axis=0, unsafe=True)
    empty = torch.nonzero(sizes == 0).squeeze(1)
    moved = sums[:, :-1] / sums[:, -1:].clamp_min(torch.finfo(torch.float32).tiny)
    if len(empty):
        worst = _errors(points, weights, labels, centroids).sort(descending=True, stable=True).indices[: len(empty)]
        moved[empty[: len(worst)]] = points[worst]
    return moved
