"""k-means against brute force, on every device that is here."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sogs_worker.encode.kmeans import assign, lloyd, partition

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU is here")),
]
pytestmark = pytest.mark.parametrize("device", DEVICES)


def normal(*shape: int, seed: int = 0, device: str = "cpu") -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device)


def squared_error(points: Tensor, weights: Tensor, centroids: Tensor) -> float:
    distances = torch.cdist(points.double(), centroids.double()).min(dim=1).values
    return float((weights.double() * distances.square()).sum())


def test_the_nearest_centroid_is_found(device: str) -> None:
    points, centroids = normal(3000, 9, device=device), normal(700, 9, seed=1, device=device)
    distances = torch.cdist(points.double(), centroids.double())
    got = distances.gather(1, assign(points, centroids)[:, None])[:, 0]
    assert torch.allclose(got, distances.min(dim=1).values, atol=1e-6)


def test_ties_go_to_the_lowest_index(device: str) -> None:
    centroids = torch.tensor([[1.0, 0], [-1, 0], [1, 0], [-1, 0]], device=device)
    points = torch.tensor([[2.0, 0], [-3, 1], [0, 5]], device=device)
    assert assign(points, centroids).tolist() == [0, 1, 0]


def test_searching_all_cells_is_exact_and_searching_some_is_close(device: str) -> None:
    points, weights = normal(4000, 6, device=device), torch.ones(4000, device=device)
    cells = partition(points, weights, count=12, seed=0)
    centroids = points[:300]
    exact = assign(points, centroids)
    assert torch.equal(assign(points, centroids, cells=cells, probes=12), exact)
    some = assign(points, centroids, cells=cells, probes=6)
    assert (points - centroids[some]).square().sum() < 1.1 * (points - centroids[exact]).square().sum()
    assert (some == exact).float().mean() > 0.8


def test_a_partition_holds_each_point_once(device: str) -> None:
    points = normal(1000, 4, device=device)
    cells = partition(points, torch.ones(1000, device=device), count=20, seed=0)
    assert torch.cat(cells.members).sort().values.tolist() == list(range(1000))


def run_lloyd(points: Tensor, weights: Tensor, count: int, seed: int = 0, iterations: int = 12) -> Tensor:
    cells = partition(points, weights, count=round(count**0.5), seed=seed)
    return lloyd(points, weights, cells=cells, count=count, iterations=iterations, probes=8, seed=seed)


def reference_lloyd(points: Tensor, weights: Tensor, count: int, iterations: int = 12) -> Tensor:
    """Do the same in the plainest way: all distances, a loop over centroids, random points as seeds."""
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(3))[:count].to(points.device)
    centroids = points[order].double()
    for _ in range(iterations):
        labels = torch.cdist(points.double(), centroids).argmin(dim=1)
        for k in range(count):
            mine = labels == k
            if mine.any():
                centroids[k] = (points[mine] * weights[mine, None]).double().sum(dim=0) / weights[mine].double().sum()
    return centroids.float()


def test_the_error_is_that_of_a_plain_implementation(device: str) -> None:
    points = normal(3000, 5, device=device)
    weights = normal(3000, seed=5, device=device).abs() + 0.01
    ours = squared_error(points, weights, run_lloyd(points, weights, 64))
    plain = squared_error(points, weights, reference_lloyd(points, weights, 64))
    assert ours < 1.03 * plain


def test_separate_clusters_are_all_found(device: str) -> None:
    middles = 100 * normal(40, 3, device=device)
    points = (middles[:, None] + 0.01 * normal(40, 30, 3, seed=1, device=device)).reshape(-1, 3)
    centroids = run_lloyd(points, torch.ones(1200, device=device), 60)
    assert squared_error(points, torch.ones(1200, device=device), centroids) / 1200 < 0.01


def test_heavy_points_are_served_better(device: str) -> None:
    points = normal(4000, 8, device=device)
    weights = torch.where(torch.arange(4000, device=device) < 1000, 100.0, 1.0)
    centroids = run_lloyd(points, weights, 100)
    ones = torch.ones(1000, device=device)
    assert squared_error(points[:1000], ones, centroids) < 0.9 * squared_error(points[1000:2000], ones, centroids)


@pytest.mark.parametrize(("distinct", "left"), [(1, 1e-9), (3, 1e-9), (200, 0.05)])
def test_more_centroids_than_distinct_points(distinct: int, left: float, device: str) -> None:
    points = normal(distinct, 4, device=device).repeat(2000 // distinct, 1)
    weights = torch.ones(len(points), device=device)
    centroids = run_lloyd(points, weights, 256, iterations=3)
    assert centroids.shape == (256, 4)
    assert torch.isfinite(centroids).all()
    assert squared_error(points, weights, centroids) < left * (1e-6 + float(points.square().sum()))


def test_the_same_seed_gives_the_same_bits_and_inputs_stay(device: str) -> None:
    points, weights = normal(2000, 7, device=device), torch.ones(2000, device=device)
    before = points.clone()
    first, second = (run_lloyd(points, weights, 100, seed=9) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(points, before)
    assert not torch.equal(first, run_lloyd(points, weights, 100, seed=10))
