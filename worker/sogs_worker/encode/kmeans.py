"""Weighted k-means for many centroids, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sogs_worker.encode.cells import Cells, assign, nearest, nearest_others
from sogs_worker.encode.runs import cut_runs

TINY = torch.finfo(torch.float32).tiny

SEEDING_ROUNDS = 4

SEEDING = 2.5
"""Iterations that take as long as the drawing of the seeds."""

COARSE_ITERATIONS = 8

SAMPLE_PER_CELL = 256
"""Points a coarse cell is trained on: more do not move it."""

ROWS = {"cpu": 1 << 14, "cuda": 1 << 20}
"""Points worked on at once, by device: what is computed of all of them would outgrow them."""

CAUTION = 0.8
"""Part of the error still allowed that the centroids leaving in one round may cost, by the estimate of `_costs`."""
FEWEST = 64
"""A round that would remove no more than one of so many centroids is not worth its search."""


def train_centers(points: Tensor, weights: Tensor, *, count: int, seed: int) -> Tensor:
    """Find at most `count` centers of coarse cells, (G, D), by k-means on a sample of the points."""
    sample = points[_draw(weights, min(len(points), count * SAMPLE_PER_CELL), seed)]
    equal = torch.ones(len(sample), device=points.device)
    centers = sample[:count]
    for _ in range(COARSE_ITERATIONS):
        centers, _ = _update(sample, equal, nearest(sample, centers), centers)
    return centers


def lloyd(
    cells: Cells,
    weights: Tensor,
    *,
    count: int,
    iterations: int,
    probes: int,
    seed: int,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Tensor, float]:
    """Find centroids of small weighted squared error by Lloyd's iteration.

    Between the iterations, centroids that are of little use move to where the error is great (`_relocate`). The same
    arguments on the same machine give the same bits.

    Args:
        cells: the points, finite, more than `count`.
        weights: (N,) float32, positive, in the order of `cells.points`.
        count: number of centroids.
        iterations: of Lloyd.
        probes: cells searched for each point.
        seed: of the random draw.
        progress: told the fraction done, at the beginning, before the first iteration and after each.

    Returns:
        The centroids, (count, D) float32, and the weighted mean of the points' squared distances to them.
    """
    progress(0.0)
    centroids = _seeds(cells, weights, count=count, probes=probes, seed=seed)
    progress(SEEDING / (SEEDING + iterations))
    for iteration in range(1, iterations + 1):
        labels = assign(cells, centroids, probes=probes)
        centroids, masses = _update(cells.points, weights, labels, centroids)
        if iteration < iterations:
            centroids = _relocate(cells, weights, labels, centroids, masses)
        progress((SEEDING + iteration) / (SEEDING + iterations))
    errors = _errors(cells.points, weights, labels, centroids).double()
    return centroids, float(errors.sum() / weights.double().sum())


def update(cells: Cells, weights: Tensor, centroids: Tensor, *, probes: int) -> tuple[Tensor, Tensor]:
    """Do one plain iteration of Lloyd's; return the new centroids and the weight of each one's points, (K,)."""
    return _update(cells.points, weights, assign(cells, centroids, probes=probes), centroids)


def thin(
    cells: Cells, weights: Tensor, centroids: Tensor, *, error: float, enough: float, probes: int
) -> tuple[Tensor, float]:
    """Leave centroids out that are not needed for a weighted squared error of `enough`.

    In rounds, those go that would be missed least, to which the rest then moves; see `_costs`.

    Args:
        cells: the points.
        weights: (N,) float32, positive, in the order of `cells.points`.
        centroids: (K, D) float32.
        error: the weighted mean of the points' squared distances to them.
        enough: the mean that may be reached.
        probes: cells searched for each point.

    Returns:
        The centroids that are left, and their error, at most `enough` where `error` was.
    """
    total = float(weights.double().sum())
    while error < enough:
        labels = assign(cells, centroids, probes=probes)
        moved, masses = _update(cells.points, weights, labels, centroids)
        costs, cheapest = _costs(cells, moved, masses)
        affordable = int((costs[cheapest].double().cumsum(0) <= CAUTION * (enough - error) * total).sum())
        leaving = min(affordable, len(centroids) - 1)
        if leaving * FEWEST <= len(centroids):
            break
        stays = torch.ones(len(centroids), dtype=torch.bool, device=centroids.device)
        stays[cheapest[:leaving]] = False
        fewer = moved[stays]
        fewer, _ = _update(cells.points, weights, assign(cells, fewer, probes=probes), fewer)
        labels = assign(cells, fewer, probes=probes)
        now = float(_errors(cells.points, weights, labels, fewer).double().sum()) / total
        if now > enough:
            break
        centroids, error = fewer, now
    return centroids, error


def draw_sample(weights: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw points for which weighted sums over the sample are those over all, on average.

    A point's chance grows with its weight. Where all others of the race are given, it is 1 - exp(-weight * limit), by
    which the weight is divided (Horvitz, Thompson 1952; for such races Cohen, Kaplan 2007): heavy points are nearly
    all there with their own weights, light ones stand for others too.

    Args:
        weights: (N,) float32, positive.
        count: of the sample, below N.
        seed: of the random draw.

    Returns:
        (count,) int64, ascending, and their weights in the sample, float32. Fewer if clocks are equal.
    """
    clocks = _clocks(weights, seed)
    limit = clocks.kthvalue(count + 1).values
    drawn = (clocks < limit).nonzero().squeeze(1)
    own = weights[drawn].double()
    return drawn, (own / -torch.expm1(-own * limit)).float()


def _draw(chances: Tensor, count: int, seed: int) -> Tensor:
    """Draw distinct indices with chances in proportion."""
    return _clocks(chances, seed).sort(stable=True).indices[:count]


def _clocks(chances: Tensor, seed: int) -> Tensor:
    """Return when each point comes in, (N,) float64, in an exponential race (Efraimidis, Spirakis 2006)."""
    return -_uniform(len(chances), seed, chances.device).log() / chances


def _uniform(count: int, seed: int, device: torch.device) -> Tensor:
    """Draw numbers between 0 and 1, (count,) float64, the same on all devices: SplitMix64 of each index."""
    state = (torch.arange(count, device=device) + torch.tensor(seed, device=device) * 2**32) * -0x61C8864680B583EB
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        state = (state ^ ((state >> shift) & ((1 << (64 - shift)) - 1))) * factor
    state = state ^ ((state >> 31) & ((1 << 33) - 1))
    return (((state >> 12) & ((1 << 52) - 1)).double() + 0.5) / 2**52


def _seeds(cells: Cells, weights: Tensor, *, count: int, probes: int, seed: int) -> Tensor:
    """Choose points as first centroids, in rounds after k-means|| (Bahmani et al. 2012).

    In each round a point's chance is its weighted squared distance to the nearest one chosen before, at first to its
    cell's centre, so that later rounds go where the earlier ones left most error.
    """
    points = cells.points
    drawn = torch.empty(0, dtype=torch.int64, device=points.device)
    groups = torch.arange(len(cells.sizes), device=points.device)
    labels = groups.repeat_interleave(torch.tensor(cells.sizes, device=points.device))
    centroids = cells.centers
    for drawing in range(SEEDING_ROUNDS):
        chances = _errors(points, weights, labels, centroids)
        chances[drawn] = 0
        wanted = count * (drawing + 1) // SEEDING_ROUNDS - len(drawn)
        drawn = torch.cat([drawn, _draw(chances, wanted, seed + drawing)])
        centroids = points[drawn]
        if drawing + 1 < SEEDING_ROUNDS:
            labels = assign(cells, centroids, probes=probes)
    return centroids


def _errors(points: Tensor, weights: Tensor, labels: Tensor, centroids: Tensor) -> Tensor:
    """Return (N,): weighted squared distance of each point to its centroid."""
    errors, most = torch.empty_like(weights), ROWS[points.device.type]
    for first in range(0, len(points), most):
        rows = slice(first, first + most)
        errors[rows] = (points[rows] - centroids[labels[rows]]).square().sum(dim=1)
    return weights * errors


def _update(points: Tensor, weights: Tensor, labels: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Move each centroid to the weighted mean of its points; one without points stays.

    Returns:
        The centroids, and the weight of each one's points, (K,).
    """
    order = labels.argsort(stable=True)
    sizes = torch.bincount(labels, minlength=len(centroids))
    sums = points.new_empty(len(centroids), points.shape[1] + 1)
    for runs, rows in cut_runs(sizes, ROWS[points.device.type]):
        # Sums over sorted runs, not scattered atomic additions, whose order changes from run to run on a GPU.
        members, mass = points[order[rows]], weights[order[rows], None]
        members = torch.cat([members * mass, mass], dim=1)
        sums[runs] = torch.segment_reduce(members, "sum", lengths=sizes[runs], axis=0, unsafe=True)
    means = sums[:, :-1] / sums[:, -1:].clamp_min(TINY)
    return torch.where(sizes[:, None] > 0, means, centroids), sums[:, -1]


def _relocate(cells: Cells, weights: Tensor, labels: Tensor, centroids: Tensor, masses: Tensor) -> Tensor:
    """Move the centroids that would be missed least to the points that have most error, as long as that pays.

    A point that gets a centroid of its own takes its error away. Lloyd's iteration alone cannot move a centroid past
    others (Patane and Russo, "The enhanced LBG algorithm", 2001); on spherical harmonics this leaves 9 % less error
    than 20 iterations without it.
    """
    costs, cheapest = _costs(cells, centroids, masses)
    rest = (masses[labels] - weights).clamp_min(weights / 2)  # what a point leaves behind also gets nearer to its mean
    errors = _errors(cells.points, weights, labels, centroids) * (1 + weights / rest)
    worst = _worst_points(errors, labels, len(centroids))
    pairs = min(len(cheapest), len(worst))
    paying = costs[cheapest[:pairs]] < errors[worst[:pairs]]
    moved = centroids.clone()
    moved[cheapest[:pairs][paying]] = cells.points[worst[:pairs][paying]]
    return moved


def _costs(cells: Cells, centroids: Tensor, masses: Tensor) -> tuple[Tensor, Tensor]:
    """Say by how much the error grows without each centroid, and which may leave together, cheapest first.

    Without a centroid of mass a, whose nearest neighbour at distance d has mass b, it grows by about a b / (a + b) d^2
    (Ward 1963).
    """
    distances, neighbours = nearest_others(centroids, cells.centers)
    costs = masses * masses[neighbours] / (masses + masses[neighbours]).clamp_min(TINY) * distances
    cheapest = costs.argsort(stable=True)
    rank = torch.empty_like(cheapest)
    rank[cheapest] = torch.arange(len(rank), device=rank.device)
    leaving = rank[neighbours] > rank
    leaving &= ~leaving[neighbours]  # what takes over the points must stay
    return costs, cheapest[leaving[cheapest]]


def _worst_points(errors: Tensor, labels: Tensor, count: int) -> Tensor:
    """Return the point of most error of each centroid that has points, worst first."""
    order = errors.argsort(descending=True, stable=True)
    places = torch.arange(len(order), device=order.device)
    first = torch.full((count,), len(order), device=order.device)
    first = first.scatter_reduce(0, labels[order], places, "amin").sort().values
    return order[first[first < len(order)]]
