"""What our writer of lossless WebP writes, libwebp (in Pillow) reads as exactly the same pixels."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices import on_a_gpu
from sogs_worker.formats.sog import vp8l
from sogs_worker.formats.sog.vp8l import encode_vp8l, selection
from sogs_worker.formats.sog.vp8l.blocks import EXACT, block_counts, fitting_grid, group_blocks
from sogs_worker.formats.sog.vp8l.choice import Transform
from sogs_worker.formats.sog.vp8l.clusters import group_totals
from sogs_worker.formats.sog.vp8l.symbols import literal_symbols
from sogs_worker.formats.sog.webp import decode_plane

Draw = Callable[[np.random.Generator, int, int], np.ndarray]


def noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return rng.integers(0, 256, (height, width, 4), np.uint8)


def constant(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return np.broadcast_to(noise(rng, 1, 1), (height, width, 4)).copy()


def few_colours(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return noise(rng, 1, int(rng.integers(2, 20)))[0][rng.integers(0, 2, (height, width))]


def gradient(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, x + y, x // 3 + rng.integers(0, 2, (height, width))], axis=-1).astype(np.uint8)


def skewed(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return np.minimum(255, rng.geometric(0.6, (height, width, 4)) - 1).astype(np.uint8)


def walk(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    steps = rng.integers(-1, 2, (height * width, 4))
    return steps.cumsum(axis=0).astype(np.uint8).reshape(height, width, 4)


def hidden(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    return noise(rng, height, width) * np.array([1, 1, 1, 0], np.uint8)


def repeated(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    tile = noise(rng, 1, int(rng.integers(1, 300)))[0]
    return np.resize(tile, (height, width, 4))


def patched(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    plane = np.concatenate([skewed(rng, height, width), gradient(rng, height, width)], axis=1)[:, :width]
    plane[height // 2 :] += noise(rng, 1, 1)[0]
    return plane


MODES = [(), (0,), (1,), (11,), (0, 1), (1, 11), (11, 0)]

DRAWS = [noise, constant, few_colours, gradient, skewed, walk, hidden, repeated, patched]


def assert_same(plane: np.ndarray) -> bytes:
    data = encode_vp8l(torch.from_numpy(plane))
    assert np.array_equal(decode_plane(data), plane)
    return data


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(DRAWS), st.integers(1, 70), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_all_pixels_come_back(draw: Draw, height: int, width: int, seed: int) -> None:
    assert_same(draw(np.random.default_rng(seed), height, width))


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (1, 5000), (5000, 1), (257, 130), (300, 300)], ids=str)
def test_sizes(draw: Draw, size: tuple[int, int]) -> None:
    assert_same(draw(np.random.default_rng(3), *size))


@pytest.mark.parametrize("size", [(1, 16383), (16383, 1)], ids=str)
def test_the_longest_sides(size: tuple[int, int]) -> None:
    assert_same(walk(np.random.default_rng(4), *size))


TRANSFORMS = [Transform(green, modes, copies) for green in (False, True) for modes in MODES for copies in (False, True)]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
@pytest.mark.parametrize("draw", [walk, patched, few_colours], ids=lambda draw: draw.__name__)
def test_all_transforms(draw: Draw, transform: Transform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vp8l, "choose_transform", lambda _: transform)
    assert_same(draw(np.random.default_rng(8), 67, 45))


@pytest.mark.parametrize("bits", range(12))
@pytest.mark.parametrize("draw", [skewed, few_colours, repeated], ids=lambda draw: draw.__name__)
def test_all_sizes_of_the_colour_cache(draw: Draw, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vp8l, "choose_transform", lambda _: Transform(green=False, modes=(), repetitive=True))
    monkeypatch.setattr(selection, "_best_cache", lambda *_: bits)
    assert_same(draw(np.random.default_rng(9), 61, 83))


@pytest.mark.parametrize("width", [1, 2, 7, 40])
@pytest.mark.parametrize("distance", [*range(1, 10), 39, 40, 41, 80, 280, 281, 1000])
def test_copies_at_all_distances(width: int, distance: int) -> None:
    texels = np.resize(noise(np.random.default_rng(10), 1, distance)[0], (3200, 4))
    data = assert_same(texels[: 3200 // width * width].reshape(-1, width, 4))
    assert len(data) < 6 * distance + 700


@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
def test_files_are_about_as_small_as_those_of_libwebp(draw: Draw) -> None:
    """It packs random pixels of two colours into bytes; planes of splats have none such."""
    factor = 1.6 if draw is few_colours else 1.03
    plane = draw(np.random.default_rng(5), 256, 256)
    buffer = io.BytesIO()
    Image.fromarray(plane).save(buffer, "WEBP", lossless=True, exact=True, method=0, quality=0)
    assert len(assert_same(plane)) <= factor * len(buffer.getvalue()) + 100


def test_bytes_are_the_same_with_any_number_of_threads() -> None:
    plane = torch.from_numpy(patched(np.random.default_rng(6), 400, 300))
    before = torch.get_num_threads()
    try:
        written = set()
        for threads in (1, 2, 5, 2):
            torch.set_num_threads(threads)
            written.add(encode_vp8l(plane))
    finally:
        torch.set_num_threads(before)
    assert len(written) == 1


def test_pixels_are_counted_exactly_where_float32_has_no_room_for_them() -> None:
    side, odd = 4200, 17_000_001
    assert odd > EXACT
    channel = torch.zeros(side * side, dtype=torch.int64)
    channel[odd:] = 1 + torch.arange(side * side - odd) % 7
    symbols = literal_symbols([channel, 0, 0, 255])
    grid = fitting_grid(side, side)
    counts = block_counts([symbols], grid)[0]
    nobody = torch.zeros(grid.count, dtype=torch.int64)
    before = torch.get_num_threads()
    try:
        groups = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            assert group_totals(counts, nobody, 1)[0, 0, :8].tolist() == torch.bincount(channel).tolist()
            groups.append(group_blocks(symbols, grid).groups.tolist())
    finally:
        torch.set_num_threads(before)
    assert groups == groups[:1] * 3
    assert len(set(groups[0])) > 1


@on_a_gpu
@pytest.mark.parametrize("draw", DRAWS, ids=lambda draw: draw.__name__)
def test_a_gpu_writes_the_same_pixels_each_time_in_as_many_bytes(draw: Draw) -> None:
    plane = draw(np.random.default_rng(7), 333, 222)
    first, second = (encode_vp8l(torch.from_numpy(plane).cuda()) for _ in range(2))
    assert first == second
    assert np.array_equal(decode_plane(first), plane)
    assert len(first) == pytest.approx(len(assert_same(plane)), rel=0.005, abs=50)
