"""Planes and their images keep every texel, whatever its alpha."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sogs_worker.errors import BadInputError
from sogs_worker.formats.planes import build_palette_plane, build_plane, plane_size, read_palette_entries, read_texels
from sogs_worker.formats.webp import WebpEffort, decode_webp, encode_webp

EFFORTS = [WebpEffort(0, 0), WebpEffort(4, 75), WebpEffort(6, 100)]


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
    plane = build_plane(texels)
    assert np.array_equal(read_texels(plane, count)[:, :channels], texels)
    assert not plane.reshape(-1, 4)[count:, :3].any()
    if channels == 3:
        assert (plane[..., 3] == 255).all()


@pytest.mark.parametrize("coefficients", [3, 8, 15])
@pytest.mark.parametrize("count", [1, 64, 65])
def test_palette_entries_lie_64_in_a_row(count: int, coefficients: int) -> None:
    entries = noise(count, coefficients, 3)
    plane = build_palette_plane(entries)
    assert plane.shape == (-(-count // 64), 64 * coefficients, 4)
    last, coefficient = count - 1, coefficients - 1
    texel = plane[last // 64, (last % 64) * coefficients + coefficient]
    assert texel.tolist() == [*entries[last, coefficient], 255]
    assert np.array_equal(read_palette_entries(plane, count, coefficients), entries)


def test_a_palette_of_another_size_is_refused() -> None:
    plane = build_palette_plane(noise(64, 8, 3))
    with pytest.raises(BadInputError, match="512 x 1 texels, expected 960 x 1"):
        read_palette_entries(plane, 64, 15)
    with pytest.raises(BadInputError, match="expected 512 x 2"):
        read_palette_entries(plane, 65, 8)


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99), st.sampled_from(EFFORTS))
def test_images_are_lossless_also_under_alpha_0(height: int, width: int, seed: int, effort: WebpEffort) -> None:
    plane = noise(height, width, 4, seed=seed)
    plane[::2, :, 3] = 0
    data = encode_webp(plane, effort)
    assert np.array_equal(decode_webp(data), plane)
    assert encode_webp(plane, effort) == data


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\x89PNG\r\n\x1a\n", encode_webp(noise(40, 40, 4), EFFORTS[0])[:-500]])
def test_what_is_no_whole_image_is_refused(data: bytes) -> None:
    with pytest.raises(BadInputError, match="not a readable WebP image"):
        decode_webp(data)
