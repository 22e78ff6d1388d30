"""k-means against brute force, on every device that is here."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from devices import normal, on_every_device
from sogs_worker.encode import kmeans
from sogs_worker.encode.cells import Cells, partition
from sogs_worker.encode.kmeans import draw_sample, lloyd, thin, train_centers, update

ALL = 10**6
"""More cells than there are: the search is exact."""


def ones(points: Tensor) -> Tensor:
    return torch.ones(len(points), device=points.device)


def sort_into_cells(points: Tensor, count: int = 12) -> Cells:
    return partition(points, train_centers(points, ones(points), count=count, seed=0))


@on_every_device
@pytest.mark.parametrize("count", [1, 30, 299])
def test_sums_over_samples_are_those_over_all_on_average(device: str, count: int) -> None:
    weights = (normal(300, 1, device=device)[:, 0] * 2).exp()
    sums, totals = [], weights.double().cpu()
    for seed in range(2000):
        drawn, own = draw_sample(weights, count, seed)
        assert len(drawn) == count
        assert bool((drawn.diff() > 0).all())
        assert bool((own >= weights[drawn] * (1 - 1e-6)).all())
        sums.append(torch.zeros(300, dtype=torch.float64).index_add_(0, drawn.cpu(), own.double().cpu()))
    each = torch.stack(sums)
    spread = each.std(dim=0).clamp_min(1e-9) / 2000**0.5
    assert float(each.sum(dim=1).mean()) == pytest.approx(float(totals.sum()), rel=0.1)
    if count > 1:
        assert float(((each.mean(dim=0) - totals) / spread).abs().clamp_max(10).mean()) < 1.5


def squared_error(points: Tensor, weights: Tensor, centroids: Tensor) -> float:
    distances = torch.cdist(points.double(), centroids.double()).min(dim=1).values
    return float((weights.double() * distances.square()).sum())


def run_lloyd(points: Tensor, weights: Tensor, count: int, seed: int = 0, iterations: int = 12) -> Tensor:
    cells = partition(points, train_centers(points, weights, count=round(count**0.5), seed=seed))
    return lloyd(cells, weights[cells.order], count=count, iterations=iterations, probes=8, seed=seed)[0]


def plain_lloyd(points: Tensor, weights: Tensor, centroids: Tensor, iterations: int) -> Tensor:
    """Do the same in the plainest way: all distances, in float64, and a loop over centroids."""
    points, weights, centroids = points.double(), weights.double(), centroids.double()
    for _ in range(iterations):
        labels = torch.cdist(points, centroids).argmin(dim=1)
        for k in range(len(centroids)):
            mine = labels == k
            if mine.any():
                centroids[k] = (points[mine] * weights[mine, None]).sum(dim=0) / weights[mine].sum()
    return centroids.float()


@on_every_device
def test_an_iteration_is_that_of_a_plain_loop(device: str) -> None:
    points = normal(600, 3, device=device)
    cells = sort_into_cells(points, 4)
    weights = (normal(600, seed=5, device=device).abs() + 0.01)[cells.order]
    seeds = kmeans._seeds(cells, weights, count=24, probes=ALL, seed=1)
    assert len(seeds.unique(dim=0)) == 24
    assert (seeds[:, None] == points).all(dim=2).any(dim=1).all(), "seeds are points"
    got, _ = lloyd(cells, weights, count=24, iterations=1, probes=ALL, seed=1)
    assert torch.allclose(got, plain_lloyd(cells.points, weights, seeds, 1), atol=1e-4)


@on_every_device
def test_an_update_is_that_of_a_plain_loop_and_tells_masses(device: str) -> None:
    points = normal(2000, 3, device=device)
    cells = sort_into_cells(points)
    weights = (normal(2000, seed=5, device=device).abs() + 0.01)[cells.order]
    before = points[:100]
    moved, masses = update(cells, weights, before, probes=ALL)
    assert torch.allclose(moved, plain_lloyd(cells.points, weights, before, 1), atol=1e-4)
    labels = torch.cdist(cells.points.double(), before.double()).argmin(dim=1)
    assert torch.allclose(masses.double(), torch.zeros(100).double().to(device).index_add(0, labels, weights.double()))


@on_every_device
def test_the_error_told_is_that_of_the_points(device: str) -> None:
    points = normal(2000, 3, device=device)
    cells = sort_into_cells(points)
    weights = (normal(2000, seed=5, device=device).abs() + 0.01)[cells.order]
    centroids, told = lloyd(cells, weights, count=100, iterations=10, probes=ALL, seed=1)
    measured = squared_error(cells.points, weights, centroids) / float(weights.double().sum())
    assert measured <= told * (1 + 1e-5)
    assert told == pytest.approx(measured, rel=0.03)


def test_a_centroid_without_points_stays() -> None:
    cells = partition(normal(50, 2), torch.zeros(1, 2))
    far = torch.tensor([[0.0, 0.0], [1e3, 1e3]])
    moved, masses = update(cells, torch.ones(50), far, probes=ALL)
    assert moved[1].tolist() == [1e3, 1e3]
    assert masses.tolist() == [50, 0]


@on_every_device
def test_the_error_is_that_of_a_plain_implementation(device: str) -> None:
    points = normal(3000, 5, device=device)
    weights = normal(3000, seed=5, device=device).abs() + 0.01
    ours = squared_error(points, weights, run_lloyd(points, weights, 64))
    random = torch.randperm(3000, generator=torch.Generator().manual_seed(3))[:64].to(device)
    plain = squared_error(points, weights, plain_lloyd(points, weights, points[random], 12))
    assert ours < 1.03 * plain


@on_every_device
def test_iterations_lower_the_error(device: str) -> None:
    points = normal(2000, 4, device=device)
    errors = [squared_error(points, ones(points), run_lloyd(points, ones(points), 80, iterations=n)) for n in (1, 2, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.95 * errors[0]


@on_every_device
def test_separate_clusters_are_all_found(device: str) -> None:
    middles = 100 * normal(40, 3, device=device)
    points = (middles[:, None] + 0.01 * normal(40, 30, 3, seed=1, device=device)).reshape(-1, 3)
    assert squared_error(points, ones(points), run_lloyd(points, ones(points), 60)) / 1200 < 0.01


@on_every_device
def test_heavy_points_are_served_better(device: str) -> None:
    points = normal(4000, 8, device=device)
    weights = torch.where(torch.arange(4000, device=device) < 1000, 100.0, 1.0)
    centroids = run_lloyd(points, weights, 100)
    heavy, light = points[:1000], points[1000:2000]
    assert squared_error(heavy, ones(heavy), centroids) < 0.9 * squared_error(light, ones(light), centroids)


@pytest.mark.parametrize(("distinct", "left"), [(1, 1e-9), (3, 1e-9), (200, 0.05)])
@on_every_device
def test_more_centroids_than_distinct_points(distinct: int, left: float, device: str) -> None:
    points = normal(distinct, 4, device=device).repeat(2000 // distinct, 1)
    centroids = run_lloyd(points, ones(points), 256, iterations=3)
    assert centroids.shape == (256, 4)
    assert torch.isfinite(centroids).all()
    assert squared_error(points, ones(points), centroids) < left * (1e-6 + float(points.square().sum()))


@on_every_device
def test_the_same_seed_gives_the_same_bits_and_inputs_stay(device: str) -> None:
    points = normal(2000, 7, device=device)
    before = points.clone()
    first, second = (run_lloyd(points, ones(points), 100, seed=9) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(points, before)
    assert not torch.equal(first, run_lloyd(points, ones(points), 100, seed=10))


def test_progress_is_told_by_the_time_that_seeds_and_iterations_take() -> None:
    told: list[float] = []
    points = normal(300, 3)
    lloyd(sort_into_cells(points), ones(points), count=20, iterations=4, probes=3, seed=0, progress=told.append)
    assert told == pytest.approx([0, 2.5 / 6.5, 3.5 / 6.5, 4.5 / 6.5, 5.5 / 6.5, 1])


@on_every_device
@pytest.mark.parametrize("factor", [1.0, 1.02, 1.5, 4.0, 1e9])
def test_centroids_that_are_not_needed_are_left_out(factor: float, device: str) -> None:
    points = normal(2000, 6, device=device)
    cells = sort_into_cells(points)
    weights = normal(2000, 1, seed=1, device=device)[:, 0].exp()
    centroids, error = lloyd(cells, weights, count=200, iterations=4, probes=ALL, seed=0)
    enough = factor * error
    fewer, told = thin(cells, weights, centroids, error=error, enough=enough, probes=ALL)
    assert told <= enough
    if factor == 1.0:
        assert torch.equal(fewer, centroids)
    elif factor >= 1.5:
        squared = torch.cdist(cells.points.double(), fewer.double()).min(dim=1).values.square()
        assert told == pytest.approx(float((weights * squared).sum() / weights.sum()), rel=1e-3)
        assert len(fewer) <= 20 or told > (enough + error) / 2, "most of what is allowed is used"
        _, searched = lloyd(cells, weights, count=len(fewer), iterations=8, probes=ALL, seed=0)
        assert told < 1.1 * searched, "a search for as many from scratch finds hardly better ones"
