"""Version 1 as version 2: bytes that both hold alike stay, and the others are as near as 256 values can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packed_scenes import build_sog_v1, encode_webp
from sogs_worker.encode.dropped import Dropped
from sogs_worker.formats import read_scene
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.upgrade import upgrade
from sogs_worker.formats.sog.version1 import DocumentV1
from sogs_worker.splats import Splats

ALIKE = ("means_l.webp", "means_u.webp", "quats.webp", "shN_centroids.webp", "shN_labels.webp")


def both(scene: EncodedScene, folder: Path) -> tuple[Splats, Splats]:
    """Return what a scene of version 1 decodes to, and what it does as version 2."""
    for name, data in {**scene.images, "meta.json": scene.meta.to_json()}.items():
        (folder / name).write_bytes(data)
    write_sog(folder / "scene.sog", upgrade(scene, device="cpu"))
    return read_scene(folder / "meta.json"), read_sog(folder / "scene.sog")


@pytest.mark.parametrize("bands", [0, 1, 2, 3])
def test_what_both_versions_hold_alike_is_not_quantised_again(bands: int, tmp_path: Path) -> None:
    meta, planes = build_sog_v1(100, bands=bands)
    scene = EncodedScene(DocumentV1(meta), planes, Dropped(cropped=7))
    upgraded = upgrade(scene, device="cpu")
    assert {name: upgraded.images[name] for name in planes if name in ALIKE} == {
        name: data for name, data in planes.items() if name in ALIKE
    }
    assert list(upgraded.images) == list(planes)
    assert (upgraded.meta.count, upgraded.dropped) == (100, Dropped(cropped=7))
    first, second = both(scene, tmp_path)
    assert np.array_equal(first.positions, second.positions)
    assert np.array_equal(first.rotations, second.rotations)
    assert first.shn.shape == second.shn.shape
    assert second.shn == pytest.approx(first.shn, abs=1e-6)


def test_colours_and_long_axes_move_by_less_than_a_step_of_version_1(tmp_path: Path) -> None:
    meta, planes = build_sog_v1(100, bands=0)
    scales = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)  # each byte of each channel occurs
    sh0 = np.random.default_rng(1).integers(0, 256, (100, 100, 4), np.uint8)
    quats = np.full((100, 100, 4), 255, np.uint8)
    planes |= {"scales.webp": encode_webp(scales), "sh0.webp": encode_webp(sh0), "quats.webp": encode_webp(quats)}
    planes |= {name: encode_webp(scales) for name in ("means_l.webp", "means_u.webp")}
    meta["means"]["shape"][0] = 10_000
    first, second = both(EncodedScene(DocumentV1(meta), planes, Dropped()), tmp_path)
    importance = {"scales": np.exp(first.scales), "sh0": np.ones_like(first.sh0)}
    for name, weights in importance.items():
        low, high = (np.array(meta[name][end][:3]) for end in ("mins", "maxs"))
        moved = np.abs(getattr(first, name) - getattr(second, name))
        assert moved[weights > np.median(weights) / 2].max() < (high - low).max() / 255
        even_step = (high.max() - low.min()) / 256
        assert np.average(moved**2, weights=weights) < even_step**2 / 12, "less than 256 even steps would lose"
    alphas = [1 / (1 + np.exp(-splats.opacities.astype(float))) for splats in (first, second)]
    assert np.abs(alphas[0] - alphas[1]).max() <= 0.5 / 255 + 1e-6


def test_up_to_256_values_are_kept_exactly(tmp_path: Path) -> None:
    meta, planes = build_sog_v1(64, bands=0)
    first, second = both(EncodedScene(DocumentV1(meta), planes, Dropped()), tmp_path)
    assert len(np.unique(first.scales)) <= 256
    assert np.array_equal(first.scales, second.scales)
    assert np.array_equal(first.sh0, second.sh0)


@pytest.mark.parametrize(("low", "high"), [(-9.0, 95.0), (-150.0, -120.0)])
def test_scales_beyond_all_bounds_are_converted_too(low: float, high: float, tmp_path: Path) -> None:
    meta, planes = build_sog_v1(100, bands=0)
    planes["scales.webp"] = encode_webp(np.random.default_rng(0).integers(0, 256, (10, 10, 3), np.uint8))
    meta["scales"] |= {"mins": [low, low + 1, low + 2], "maxs": [high, high - 1, high - 2]}
    first, second = both(EncodedScene(DocumentV1(meta), planes, Dropped()), tmp_path)
    longest = first.scales.argmax()
    assert second.scales.flat[longest] == pytest.approx(first.scales.flat[longest], abs=(high - low) / 255)
