"""Planes and their images keep every texel, whatever its alpha."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog.planes import (
    build_palette_plane,
    build_plane,
    plane_size,
    read_palette_entries,
    read_texels,
)
from sogs_worker.formats.sog.webp import decode_plane


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@given(st.integers(1, 16383 * 16000))
def test_planes_are_nearly_square_and_hold_all(count: int) -> None:
    width, height = plane_size(count)
    assert width % 4 == height % 4 == 0
    assert count <= width * height <= count + 4 * width + 16
    assert abs(width - height) <= 8


def test_what_webp_cannot_hold_is_refused() -> None:
    with pytest.raises(BadInputError, match="split the scene"):
        plane_size(2**28)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 1000])
def test_texels_survive_with_zero_padding(count: int, channels: int) -> None:
    texels = noise(count, channels)
    plane = build_plane(torch.from_numpy(texels)).numpy()
    assert np.array_equal(read_texels(plane, count)[:, :channels], texels)
    assert not plane.reshape(-1, 4)[count:, :3].any()
    if channels == 3:
        assert (plane[..., 3] == 255).all()


@pytest.mark.parametrize("coefficients", [3, 8, 15])
@pytest.mark.parametrize("count", [1, 64, 65])
def test_palette_entries_lie_64_in_a_row(count: int, coefficients: int) -> None:
    entries = noise(count, coefficients, 3)
    plane = build_palette_plane(torch.from_numpy(entries)).numpy()
    assert plane.shape == (-(-count // 64), 64 * coefficients, 4)
    last, coefficient = count - 1, coefficients - 1
    texel = plane[last // 64, (last % 64) * coefficients + coefficient]
    assert texel.tolist() == [*entries[last, coefficient], 255]
    assert np.array_equal(read_palette_entries(plane, count, coefficients), entries)


def test_a_palette_of_another_size_is_refused() -> None:
    plane = build_palette_plane(torch.from_numpy(noise(64, 8, 3))).numpy()
    with pytest.raises(BadInputError, match="512 x 1 texels, expected 960 x 1"):
        read_palette_entries(plane, 64, 15)
    with pytest.raises(BadInputError, match="expected 512 x 2"):
        read_palette_entries(plane, 65, 8)


def write_webp(plane: np.ndarray, *, method: int = 4, quality: int = 75) -> bytes:
    """An image as libwebp writes it."""
    out = io.BytesIO()
    Image.fromarray(plane, "RGBA").save(out, "WEBP", lossless=True, exact=True, method=method, quality=quality)
    return out.getvalue()


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from([(0, 0), (4, 75), (6, 100)]))
def test_images_of_others_are_read_as_they_are(height: int, width: int, seed: int, effort: tuple[int, int]) -> None:
    plane = noise(height, width, 4, seed=seed)
    plane[::2, :, 3] = 0
    assert np.array_equal(decode_plane(write_webp(plane, method=effort[0], quality=effort[1])), plane)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\x89PNG\r\n\x1a\n", write_webp(noise(40, 40, 4))[:-500]])
def test_what_is_no_whole_image_is_refused(data: bytes) -> None:
    with pytest.raises(BadInputError, match="not a readable WebP or PNG image"):
        decode_plane(data)
