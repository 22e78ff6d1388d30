"""What is written is read again as what it was, within the steps of its format. `test_peers` lets others read it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sogs_worker.encode.opacity import alphas_of
from sogs_worker.encode.quaternions import complete, leave_out_largest, normalize
from sogs_worker.errors import BadInputError
from sogs_worker.formats import WRITERS, blocks, find_writer, read_scene
from sogs_worker.formats.glb import container
from sogs_worker.formats.ply.packing import GROUP
from sogs_worker.formats.spz.packing import write_spz
from sogs_worker.splats import Splats
from splat_builders import build_splats, covariances, replace

ARRAYS = ("positions", "rotations", "scales", "opacities", "sh0", "shn")


def write(folder: Path, splats: Splats, suffix: str) -> Path:
    path = folder / f"a{suffix}"
    WRITERS[suffix](path, splats)
    assert list(folder.iterdir()) == [path]
    return path


def near(splats: Splats) -> Splats:
    """Colours and coefficients that all formats have room for."""
    return replace(splats, sh0=splats.sh0.clip(-3, 3), shn=splats.shn.clip(-0.9, 0.9))


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("suffix", [".ply", ".glb"])
def test_plain_formats_keep_float32(suffix: str, bands: int, tmp_path: Path) -> None:
    splats = build_splats(1000, bands=bands)
    again = read_scene(write(tmp_path, splats, suffix))
    for name in ("positions", "sh0", "shn"):
        np.testing.assert_allclose(getattr(again, name), getattr(splats, name), atol=1e-12, rtol=0)
    np.testing.assert_allclose(again.scales, splats.scales, atol=1e-6)
    np.testing.assert_allclose(again.opacities, splats.opacities, atol=1e-4)
    shapes = covariances(splats)
    np.testing.assert_allclose(covariances(again), shapes, rtol=1e-4, atol=1e-6 * np.abs(shapes).max())


def test_a_ply_is_the_same_to_the_bit(tmp_path: Path) -> None:
    splats = build_splats(1000)
    splats.rotations[3], splats.scales[4, 1], splats.opacities[5] = 0, -np.inf, np.inf
    again = read_scene(write(tmp_path, splats, ".ply"))
    for name in ARRAYS:
        assert np.array_equal(getattr(again, name), getattr(splats, name)), name


@pytest.mark.parametrize("bands", range(4))
def test_spz_is_within_its_steps(bands: int, tmp_path: Path) -> None:
    splats = near(build_splats(1000, bands=bands))
    again = read_scene(write(tmp_path, splats, ".spz"))
    assert again.sh_bands == bands
    np.testing.assert_allclose(again.positions, splats.positions, atol=0.5 / 4096 + 1e-6)
    np.testing.assert_allclose(again.scales, splats.scales, atol=0.5 / 16 + 1e-6)
    np.testing.assert_allclose(again.sh0, splats.sh0, atol=0.5 / 255 / 0.15 + 1e-6)
    np.testing.assert_allclose(alphas_of(again.opacities), alphas_of(splats.opacities), atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(again.shn[:, :3], splats.shn[:, :3], atol=4.5 / 128)
    np.testing.assert_allclose(again.shn[:, 3:], splats.shn[:, 3:], atol=8.5 / 128)
    assert angles(again, splats).max() < 0.004


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("count", [1, GROUP, 1000])
def test_a_compressed_ply_is_within_its_steps(count: int, bands: int, tmp_path: Path) -> None:
    splats = build_splats(count, bands=bands)
    again = read_scene(write(tmp_path, splats, ".compressed.ply"))
    assert (len(again), again.sh_bands) == (count, bands)
    distances = np.linalg.norm(again.positions[:, None] - splats.positions[None], axis=2)
    assert sorted(distances.argmin(axis=1)) == list(range(count))  # each is there once, in another order
    splats = splats.take(distances.argmin(axis=1))
    for start in range(0, count, GROUP):
        group = slice(start, start + GROUP)
        for name, steps in (("positions", 1023), ("scales", 1023), ("sh0", 255)):
            ours, theirs = getattr(splats, name)[group], getattr(again, name)[group]
            step = np.ptp(ours, axis=0).max() / steps
            np.testing.assert_allclose(theirs, ours, atol=0.51 * step + 1e-5)
    np.testing.assert_allclose(alphas_of(again.opacities), alphas_of(splats.opacities), atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(again.shn, splats.shn, atol=8 / 256)
    assert angles(again, splats).max() < 0.004


def angles(one: Splats, other: Splats) -> np.ndarray:
    dots = np.abs((normalize(one.rotations) * normalize(other.rotations)).sum(axis=1))
    return 2 * np.arccos(dots.clip(0, 1))


@pytest.mark.parametrize("suffix", WRITERS)
def test_blocks_join_seamlessly(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    splats = build_splats(3 * GROUP - 5)
    whole = write(tmp_path, splats, suffix).read_bytes()
    monkeypatch.setattr(blocks, "BLOCK", GROUP)
    assert write(tmp_path, splats, suffix).read_bytes() == whole


@pytest.mark.parametrize("suffix", WRITERS)
def test_memory_is_bounded(suffix: str, tmp_path: Path) -> None:
    """Beside the scene itself, 61 MB here, only blocks of it are in memory, and the order of a compressed PLY."""
    splats = build_splats(260_000)
    tracemalloc.start()
    write(tmp_path, splats.take(slice(0, 130_000)), suffix)
    half = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    write(tmp_path, splats, suffix)
    whole = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole - half < 130_000 * 8 * 2, (half, whole)


@pytest.mark.parametrize("suffix", WRITERS)
def test_the_same_scene_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    splats = build_splats(500)
    assert write(tmp_path, splats, suffix).read_bytes() == write(tmp_path, splats, suffix).read_bytes()


def test_coordinates_beyond_the_usual_range_of_spz_get_fewer_digits(tmp_path: Path) -> None:
    for farthest, step in ((2047, 2**-12), (2048, 2**-11), (500_000, 2**-4), (8_388_607, 1)):
        splats = build_splats(20)
        splats.positions[3] = farthest, -farthest, 0.3
        again = read_scene(write(tmp_path, splats, ".spz"))
        np.testing.assert_allclose(again.positions, splats.positions, atol=0.5 * step + 1e-6)
    splats.positions[3] = 1e8
    with pytest.raises(BadInputError, match="a coordinate of 1e\\+08 is beyond"):
        write_spz(tmp_path / "b.spz", splats)
    assert not (tmp_path / "b.spz").exists()


@pytest.mark.parametrize("suffix", WRITERS)
def test_values_beyond_a_formats_range_become_its_ends(suffix: str, tmp_path: Path) -> None:
    splats = build_splats(10)
    splats.sh0[0], splats.sh0[1], splats.shn[0], splats.shn[1] = 1e4, -1e4, 1e4, -1e4
    splats.scales[0], splats.scales[1], splats.opacities[0], splats.opacities[1] = 60, -60, np.inf, -300
    again = read_scene(write(tmp_path, splats, suffix))
    assert len(again) == 10
    for name in ARRAYS:
        if suffix != ".ply":
            assert np.isfinite(getattr(again, name)).all(), name


def test_a_glb_of_more_than_4_gib_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAX_BYTES", 10_000)
    with pytest.raises(BadInputError, match=r"would be 2.,... bytes, but 10,000 is the limit"):
        WRITERS[".glb"](tmp_path / "a.glb", build_splats(100))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.ply", ".ply"),
        ("A.Compressed.PLY", ".compressed.ply"),
        ("a.spz", ".spz"),
        ("a.b.GLB", ".glb"),
        ("a.sog", None),
    ],
)
def test_the_longest_suffix_says_the_format(name: str, suffix: str | None) -> None:
    assert find_writer(name) == (WRITERS[suffix] if suffix else None)


@given(arrays(np.float32, (7, 4), elements=st.floats(-2, 2, width=32)))
def test_what_is_left_out_is_put_back(rotations: np.ndarray) -> None:
    rest, largest = leave_out_largest(rotations)
    assert np.abs(rest).max() <= 0.5**0.5 + 1e-12
    dots = np.abs((complete(rest, largest) * normalize(rotations)).sum(axis=1))
    np.testing.assert_allclose(dots[(rotations != 0).any(axis=1)], 1, atol=1e-6)
