"""The palette of spherical harmonics."""

from __future__ import annotations

import numpy as np
import pytest

from sogs_worker.encode.palette import Effort, Palette, build_palette, palette_size
from sogs_worker.splats import Splats
from splat_builders import build_splats, replace

EFFORT = Effort(splats_per_entry=8, iterations=4, probes=4, final_probes=8)


def build(splats: Splats, effort: Effort = EFFORT, seed: int = 0) -> Palette:
    return build_palette(splats, effort=effort, device="cpu", seed=seed)


def decode(palette: Palette) -> np.ndarray:
    return palette.codebook[palette.entries][palette.labels]


@pytest.mark.parametrize(
    ("count", "size"), [(1, 64), (130, 64), (1600, 192), (200_000, 25_024), (524_288, 65_536), (10**7, 65_536)]
)
def test_sizes_are_whole_rows_between_64_and_65536(count: int, size: int) -> None:
    assert palette_size(count, 8) == size


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 130, 1000])
@pytest.mark.parametrize("bands", [1, 2, 3])
def test_entries_are_used_and_ordered_by_use(count: int, bands: int) -> None:
    splats = build_splats(count, bands=bands)
    palette = build(splats)
    uses = np.bincount(palette.labels, minlength=len(palette.entries))
    assert decode(palette).shape == splats.shn.shape
    assert uses.min() >= 1
    assert (np.diff(uses) <= 0).all()
    assert len(palette.entries) <= max(64, count)


def test_few_splats_keep_their_own_coefficients() -> None:
    splats = build_splats(50)
    step = np.diff(build(splats).codebook).max()
    assert np.abs(decode(build(splats)) - splats.shn).max() <= step / 2 + 1e-6


def test_each_splat_has_its_nearest_entry() -> None:
    splats = build_splats(3000, bands=1)
    palette = build(splats, Effort(splats_per_entry=8, iterations=4, probes=4, final_probes=10**6))
    table = palette.codebook[palette.entries].reshape(len(palette.entries), -1).astype(np.float64)
    rows = splats.shn.reshape(3000, -1)
    distances = np.linalg.norm(rows[:, None] - table[None], axis=2)
    got = distances[np.arange(3000), palette.labels]
    assert np.abs(got - distances.min(axis=1)).max() < 1e-5


@pytest.mark.parametrize("value", [0.0, -0.25, 1e20])
def test_equal_coefficients_are_one_entry(value: float) -> None:
    splats = replace(build_splats(500), shn=np.full((500, 15, 3), value, np.float32))
    palette = build(splats)
    assert len(palette.entries) == 1
    assert (decode(palette) == np.float32(value)).all()


def test_an_outlier_does_not_spoil_the_others() -> None:
    splats = build_splats(2000, bands=1)
    shn = splats.shn.copy()
    shn[77] = 1e6
    got = decode(build(replace(splats, shn=shn)))
    others = np.arange(2000) != 77
    plain = np.abs(decode(build(splats)) - splats.shn)[others].mean()
    assert np.abs(got - shn)[others].mean() < 1.2 * plain


def test_visible_splats_are_coded_better() -> None:
    splats = build_splats(4000)
    opacities = np.where(np.arange(4000) % 2 == 0, 5.0, -5.0).astype(np.float32)
    splats = replace(splats, opacities=opacities)
    error = ((decode(build(splats)) - splats.shn) ** 2).sum(axis=(1, 2))
    assert error[::2].mean() < 0.9 * error[1::2].mean()


def test_the_same_seed_gives_the_same_palette() -> None:
    splats = build_splats(1500)
    first, second, other = build(splats, seed=1), build(splats, seed=1), build(splats, seed=2)
    assert first.entries.tobytes() + first.labels.tobytes() == second.entries.tobytes() + second.labels.tobytes()
    assert first.labels.tobytes() != other.labels.tobytes()
