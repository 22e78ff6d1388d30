"""Scenes of any kind come down to any number of splats, with each splat accounted for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import on_a_gpu
from sogs_worker.encode.clean import clean
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.evaluate.comparison import compare, draw
from sogs_worker.evaluate.views import orbit_views
from sogs_worker.simplify import Simplification, simplify
from sogs_worker.simplify.rounds import curve_order
from sogs_worker.splats import ARRAYS, Splats
from splat_builders import build_splats


def rows(cloud: Cloud) -> set[bytes]:
    arrays = [getattr(cloud, name).reshape(len(cloud), -1) for name in ARRAYS]
    return {row.numpy().tobytes() for row in torch.cat(arrays, dim=1)}


def in_one_place(splats: Splats) -> Splats:
    return replace(splats, positions=np.zeros_like(splats.positions))


def all_the_same(splats: Splats) -> Splats:
    return splats.take(np.zeros(len(splats), np.intp))


def flat(splats: Splats) -> Splats:
    scales = splats.scales.copy()
    scales[:, 2] = -math.inf
    return replace(splats, scales=scales)


def far_away(splats: Splats) -> Splats:
    return replace(splats, positions=(splats.positions * 1e30).astype(np.float32))


def huge(splats: Splats) -> Splats:
    return replace(splats, scales=splats.scales + np.float32(70))


def opaque(splats: Splats) -> Splats:
    return replace(splats, opacities=np.full_like(splats.opacities, math.inf))


def hidden(splats: Splats) -> Splats:
    return replace(splats, opacities=np.full_like(splats.opacities, -1e30))


def of_broken_colours(splats: Splats) -> Splats:
    return replace(splats, sh0=(splats.sh0 * 1e38).astype(np.float32))


WORLDS = {
    world.__name__: world
    for world in (in_one_place, all_the_same, flat, far_away, huge, opaque, hidden, of_broken_colours)
}


@pytest.mark.parametrize("world", WORLDS.values(), ids=WORLDS)
@pytest.mark.parametrize("bands", [0, 3])
def test_any_scene_comes_down_to_any_number(world: Callable[[Splats], Splats], bands: int) -> None:
    cloud = clean(upload(world(build_splats(60, bands=bands)), "cpu")).cloud
    for count in (40, 1):
        done = simplify(cloud, count)
        assert len(done.cloud) == count
        assert count + done.merged + done.pruned == len(cloud)
        for name in ARRAYS:
            values = getattr(done.cloud, name)
            assert values.shape[1:] == getattr(cloud, name).shape[1:]
            assert not values.isnan().any()


@settings(max_examples=12)
@given(st.integers(1, 200), st.integers(1, 210), st.integers(0, 3), st.integers(0, 5))
def test_each_splat_is_kept_merged_or_pruned(splats: int, count: int, bands: int, seed: int) -> None:
    cloud = upload(build_splats(splats, bands=bands, seed=seed), "cpu")
    reports: list[float] = []
    done = simplify(cloud, count, reports.append)
    assert len(done.cloud) == min(splats, count)
    assert len(done.cloud) + done.merged + done.pruned == splats
    assert rows(done.cloud.take(torch.arange(done.unchanged))) <= rows(cloud)
    whole = rows(cloud) & rows(done.cloud)
    assert len(whole) >= len(done.cloud) - done.merged
    assert reports == sorted(reports)
    assert not reports or reports[-1] == pytest.approx(1)
    again = simplify(cloud, count)
    assert all(torch.equal(getattr(done.cloud, name), getattr(again.cloud, name)) for name in ARRAYS)


@settings(max_examples=12)
@given(st.lists(st.integers(1, 310), min_size=2, max_size=6), st.integers(0, 5))
def test_what_comes_out_does_not_hang_on_what_was_tried_before(counts: list[int], seed: int) -> None:
    """A search needs that more splats look better, and then the same number gives the same output, searched or not."""
    cloud = upload(build_splats(300, bands=1, seed=seed), "cpu")
    begun = Simplification(cloud)
    for count in counts:
        done, alone = begun.reduce_to(count), simplify(cloud, count)
        assert (done.merged, done.pruned) == (alone.merged, alone.pruned)
        assert all(torch.equal(getattr(done.cloud, name), getattr(alone.cloud, name)) for name in ARRAYS)


def test_splats_that_are_there_twice_are_found() -> None:
    """The view of what is left is that of the scene, since no splats but the two of a pair have become one."""
    spread = build_splats(400, seed=1)
    apart = replace(spread, positions=10 * spread.positions, opacities=np.full_like(spread.opacities, -4))
    twice = apart.take(np.random.default_rng(0).permutation(np.arange(800) % 400))
    done = simplify(upload(twice, "cpu"), 400)
    assert (done.merged, done.pruned) == (400, 0)
    assert {tuple(place) for place in done.cloud.positions.tolist()} == {
        tuple(place) for place in apart.positions.tolist()
    }


def test_what_nobody_sees_goes_first() -> None:
    """Between two opaque shells there are splats that no camera sees, neither from outside nor from within."""
    rng = np.random.default_rng(3)
    outward = rng.standard_normal((4000, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    radii = np.repeat([1.0, 0.85, 0.7], [2000, 800, 1200])
    shells = replace(
        build_splats(4000, bands=0),
        positions=(radii[:, None] * outward).astype(np.float32),
        scales=np.full((4000, 3), -2.5, np.float32),
        opacities=np.full(4000, 4, np.float32),
    )
    done = simplify(upload(shells, "cpu"), 3200)
    distances = done.cloud.positions.norm(dim=1)
    hidden = ((distances > 0.8) & (distances < 0.9)).sum().item()
    assert hidden < 0.5 * 800  # of the others a tenth are gone


@on_a_gpu
def test_a_gpu_finds_as_good_a_scene() -> None:
    """Sums are rounded otherwise there, and so a few other pairs are merged."""
    splats = build_splats(3000, seed=6)
    close = replace(splats, positions=splats.positions / 10)
    views = orbit_views(close)
    wanted = list(draw(close, views, device="cuda"))
    scores = []
    for device in ("cpu", "cuda"):
        done = simplify(upload(close, device), 1500)
        assert (len(done.cloud), done.merged + done.pruned) == (1500, 1500)
        left = Splats(**{name: getattr(done.cloud, name).cpu().numpy() for name in ARRAYS})
        scores.append(compare(views, wanted, draw(left, views, device="cuda")).psnr)
    assert scores[1] == pytest.approx(scores[0], abs=0.5)


@pytest.mark.parametrize("number", range(3))
def test_each_curve_is_an_order_of_all_splats(number: int) -> None:
    positions = torch.from_numpy(build_splats(500).positions).double().T
    order = curve_order(positions, number)
    assert torch.equal(order.sort().values, torch.arange(500))
    if number:
        assert not torch.equal(order, curve_order(positions, 0))
