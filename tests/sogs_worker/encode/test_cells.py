"""The search in cells against brute force, on every device that is here."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from devices import normal, on_every_device
from sogs_worker.encode import cells as module
from sogs_worker.encode.cells import Cells, assign, nearest_others, partition

ALL = 10**6
"""More cells than there are: the search is exact."""


def sort_into_cells(points: Tensor, count: int = 12) -> Cells:
    return partition(points, points[:count])


@on_every_device
def test_the_nearest_centroid_is_found(device: str) -> None:
    points, centroids = normal(3000, 9, device=device), normal(700, 9, seed=1, device=device)
    cells = sort_into_cells(points)
    distances = torch.cdist(points.double(), centroids.double())
    labels = cells.restore(assign(cells, centroids, probes=ALL))
    got = distances.gather(1, labels[:, None])[:, 0]
    assert torch.allclose(got, distances.min(dim=1).values, atol=1e-6)


@pytest.mark.parametrize("probes", [1, ALL])
@on_every_device
def test_ties_go_to_the_lowest_index(device: str, probes: int) -> None:
    centroids = torch.tensor([[1.0, 0], [-1, 0], [1, 0], [-1, 0]], device=device)
    points = torch.tensor([[2.0, 0], [-3, 1], [0, 5]], device=device)
    cells = partition(points, torch.zeros(1, 2, device=device))
    assert assign(cells, centroids, probes=probes).tolist() == [0, 1, 0]


@on_every_device
def test_searching_all_cells_is_exact_and_searching_some_is_close(device: str) -> None:
    points = normal(4000, 6, device=device)
    cells = sort_into_cells(points)
    centroids = points[:300]
    exact = assign(cells, centroids, probes=len(cells.sizes))
    some = assign(cells, centroids, probes=6)
    error, least = ((cells.points - centroids[labels]).square().sum() for labels in (some, exact))
    assert least <= error < 1.1 * least
    assert (some == exact).float().mean() > 0.8


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_whatever_is_searched_each_label_is_a_centroid(
    points: int, centroids: int, groups: int, probes: int, seed: int
) -> None:
    cells = partition(normal(points, 3, seed=seed), normal(groups, 3, seed=seed + 1))
    table = normal(centroids, 3, seed=seed + 2)
    labels = assign(cells, table, probes=probes)
    assert labels.shape == (points,)
    assert ((labels >= 0) & (labels < centroids)).all()
    if probes >= groups:
        distances = torch.cdist(cells.points.double(), table.double())
        assert torch.allclose(distances.gather(1, labels[:, None])[:, 0], distances.min(dim=1).values, atol=1e-6)


@on_every_device
def test_cells_hold_each_point_once_and_with_its_nearest_center(device: str) -> None:
    points = normal(1000, 4, device=device)
    cells = sort_into_cells(points, 20)
    assert torch.equal(cells.points, points[cells.order])
    assert cells.order.sort().values.tolist() == list(range(1000))
    assert sum(cells.sizes) == 1000
    assert torch.equal(cells.restore(cells.order), torch.arange(1000, device=device))
    homes = torch.arange(len(cells.sizes)).repeat_interleave(torch.tensor(cells.sizes)).to(device)
    distances = torch.cdist(cells.points.double(), cells.centers.double())
    assert torch.allclose(distances.gather(1, homes[:, None])[:, 0], distances.min(dim=1).values, atol=1e-6)


@on_every_device
def test_how_much_is_searched_at_once_changes_nothing(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points, centroids = normal(3000, 5, device=device), normal(200, 5, seed=1, device=device)
    cells = sort_into_cells(points)
    want = assign(cells, centroids, probes=3)
    for piece, block in ((7, 1 << 20), (1 << 20, 500), (64, 20_000), (1, 1)):
        monkeypatch.setattr(module, "PIECE", {device: piece})
        monkeypatch.setattr(module, "BLOCK", {device: block})
        assert torch.equal(assign(cells, centroids, probes=3), want)


@on_every_device
def test_only_the_nearest_cells_are_searched(device: str) -> None:
    points = normal(1000, 3, device=device)
    cells, centroids = sort_into_cells(points, 9), points[200:260]
    homes = torch.cdist(centroids, cells.centers).argmin(dim=1)
    near = torch.cdist(cells.centers, cells.centers).argsort(dim=1)[:, :2]
    cell = torch.arange(9).repeat_interleave(torch.tensor(cells.sizes)).to(device)
    reachable = (homes[None, :, None] == near[cell][:, None, :]).any(dim=2)
    distances = torch.cdist(cells.points, centroids).masked_fill(~reachable, torch.inf)
    asked = reachable.any(dim=1)
    assert asked.sum() > 900
    assert torch.equal(assign(cells, centroids, probes=2)[asked], distances.argmin(dim=1)[asked])


@on_every_device
def test_the_nearest_other_centroid_is_found(device: str) -> None:
    centroids = normal(300, 4, device=device)
    distances, others = nearest_others(centroids, centroids[:4])  # as few cells as are searched: exact
    want = torch.cdist(centroids, centroids).fill_diagonal_(torch.inf)
    assert torch.equal(others, want.argmin(dim=1))
    assert torch.allclose(distances, want.min(dim=1).values.square(), rtol=1e-4)


def test_equal_centroids_are_each_others_nearest() -> None:
    distances, others = nearest_others(torch.ones(2, 3), torch.zeros(1, 3))
    assert (distances.tolist(), others.tolist()) == ([0, 0], [1, 0])
