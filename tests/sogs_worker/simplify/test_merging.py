"""What merges cost and make, against sums over a grid of points and over samples."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.encode.cloud import upload
from sogs_worker.simplify.ellipsoids import ENTRIES
from sogs_worker.simplify.merging import Merge, merge, removal_costs, weigh_merges
from sogs_worker.simplify.moments import Moments, describe, restore
from sogs_worker.simplify.projections import PROJECTIONS, project
from splat_builders import build_splats, covariances

VARIANCE = 1e-3
PAIRS = 12
CELL = 0.02


@pytest.fixture(scope="module")
def pairs() -> tuple[Moments, Moments]:
    """Pairs of splats that are about as far apart as they are wide."""
    splats = build_splats(2 * PAIRS, bands=1, seed=4)
    moments, _ = describe(upload(splats, "cpu"), torch.rand(2 * PAIRS, dtype=torch.float64), VARIANCE)
    close = replace(moments, positions=moments.positions / 40, covariances=moments.covariances * 4)
    close = replace(close, alphas=close.alphas.clamp_max(0.6), sights=torch.ones(2 * PAIRS, dtype=torch.float64))
    return close.take(slice(0, PAIRS)), close.take(slice(PAIRS, 2 * PAIRS))


def weigh(one: Moments, other: Moments) -> Merge:
    return weigh_merges(one, other, project(one.covariances, VARIANCE), project(other.covariances, VARIANCE))


def image(splats: Moments, number: int, projection: tuple[int, int], grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a splat in a projection, (points, D): alpha times Gaussian times colour."""
    entry = {place: splats.covariances[index, number].item() for index, place in enumerate(ENTRIES)}
    a, b = projection
    matrix = np.array([[entry[a, a] + VARIANCE, entry[a, b]], [entry[a, b], entry[b, b] + VARIANCE]])
    offset = grid - splats.positions[list(projection), number].numpy()
    height = np.exp(-0.5 * np.einsum("ni,ij,nj->n", offset, np.linalg.inv(matrix), offset))
    return splats.alphas[number].item() * height[:, None] * splats.colours[number].double().numpy()


def grid() -> NDArray[np.float64]:
    line = np.arange(-2.5, 2.5, CELL)
    return np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("number", range(0, PAIRS, 3))
def test_the_cost_is_the_squared_error_of_what_is_drawn(pairs: tuple[Moments, Moments], number: int) -> None:
    one, other = pairs
    made = weigh(one, other)
    new = merge(one, other, made)
    error = 0.0
    for projection in PROJECTIONS:
        before = image(one, number, projection, grid()) + image(other, number, projection, grid())
        error += float(np.square(before - image(new, number, projection, grid())).sum()) * CELL**2 / 3
    assert made.costs[number].item() == pytest.approx(error / (2 * math.pi), rel=1e-3)


def test_the_cost_of_a_removal_is_all_that_a_splat_shows(pairs: tuple[Moments, Moments]) -> None:
    one, _ = pairs
    costs = removal_costs(one, project(one.covariances, VARIANCE))
    for number in (0, 5):
        shown = sum(np.square(image(one, number, each, grid())).sum() for each in PROJECTIONS) * CELL**2 / 3
        assert costs[number].item() == pytest.approx(shown / (2 * math.pi), rel=1e-3)


def test_a_merge_has_the_moments_of_samples_of_both(pairs: tuple[Moments, Moments]) -> None:
    one, other = pairs
    made = weigh(one, other)
    new = merge(one, other, made)
    rng = np.random.default_rng(1)
    for number in (1, 7):
        share = made.shares[number].item()
        sizes = round(400_000 * share), round(400_000 * (1 - share))
        points = np.concatenate([sample(each, number, size, rng) for each, size in zip(pairs, sizes, strict=True)])
        spread = np.cov(points.T)
        scale = math.sqrt(np.trace(spread))
        assert np.abs(points.mean(axis=0) - new.positions[:, number].numpy()).max() < 0.01 * scale
        assert np.abs(spread - matrix(new, number)).max() < 0.01 * scale**2


def matrix(splats: Moments, number: int) -> NDArray[np.float64]:
    full = np.empty((3, 3))
    for (row, column), value in zip(ENTRIES, splats.covariances[:, number].tolist(), strict=True):
        full[row, column] = full[column, row] = value
    return full


def sample(splats: Moments, number: int, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.multivariate_normal(splats.positions[:, number].numpy(), matrix(splats, number), size)


def test_the_light_of_both_is_kept_less_what_one_hides(pairs: tuple[Moments, Moments]) -> None:
    """Of two splats in one place that are the same, the picture is 1 - (1 - alpha G)^2."""
    one = replace(pairs[0], alphas=pairs[0].alphas / 2)
    made = weigh(one, one)
    new = merge(one, one, made)
    area = project(one.covariances, VARIANCE).area
    hidden = one.alphas.square() * area / 2
    kept = new.alphas * project(new.covariances, VARIANCE).area
    assert torch.allclose(kept, 2 * one.alphas * area - hidden)


def test_moments_that_nothing_merged_are_the_same_splats() -> None:
    splats = build_splats(50, bands=2, seed=2)
    cloud = upload(splats, "cpu")
    moments, mean = describe(cloud, torch.ones(50, dtype=torch.float64), VARIANCE)
    back, unchanged = restore(moments.take(torch.arange(49, -1, -1)), mean, cloud)
    assert unchanged == 50
    for name in ("positions", "rotations", "scales", "opacities", "sh0", "shn"):
        assert torch.equal(getattr(back, name), getattr(cloud, name).flip(0))


def test_a_merge_is_a_splat_with_these_moments() -> None:
    splats = build_splats(2 * PAIRS, bands=2, seed=3)
    cloud = upload(splats, "cpu")
    moments, mean = describe(cloud, torch.ones(2 * PAIRS, dtype=torch.float64), VARIANCE)
    one, other = moments.take(slice(0, PAIRS)), moments.take(slice(PAIRS, 2 * PAIRS))
    made = weigh(one, other)
    new = merge(one, other, made)
    back, unchanged = restore(new, mean, cloud)
    assert unchanged == 0
    shapes = covariances(
        replace(splats.take(slice(0, PAIRS)), rotations=back.rotations.numpy(), scales=back.scales.numpy())
    )
    expected = np.stack([matrix(new, number) for number in range(PAIRS)])
    assert np.allclose(shapes, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(axis=(1, 2), keepdims=True))
    share = made.shares.float()[:, None]
    mixed: Tensor = share * cloud.sh0[:PAIRS] + (1 - share) * cloud.sh0[PAIRS:]
    assert torch.allclose(back.sh0, mixed, atol=1e-5)
    shares = share[:, :, None]
    assert torch.allclose(back.shn, shares * cloud.shn[:PAIRS] + (1 - shares) * cloud.shn[PAIRS:], atol=1e-5)
    assert torch.allclose(torch.sigmoid(back.opacities).double(), made.alphas, atol=1e-5)
