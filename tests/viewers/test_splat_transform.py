"""PlayCanvas' own converter reads our bundles, and every value it reads is the nearest one the format can hold."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from scenes import made_scene, real_scene
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.encode.order import hilbert_order
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats.ply import read_ply
from sogs_worker.formats.sog import write_sog
from sogs_worker.splats import SH_COEFFICIENTS
from viewers.peers import Columns, decode_with_splat_transform, stack

SCENES = [
    "made", "leica_sofort_top8192.ply", "fruit_drops_minimal.ply", "train_1000.ply", "donut_fused_45624_sh0.ply"
]  # fmt: skip


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "made":
        return made_scene(tmp_path_factory.mktemp("made") / "scene.ply", 5000)
    return real_scene(request.param)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def nearest_distance(values: np.ndarray, codebook: np.ndarray) -> np.ndarray:
    right = np.searchsorted(codebook, values).clip(1, len(codebook) - 1)
    return np.minimum(np.abs(values - codebook[right - 1]), np.abs(values - codebook[right]))


def log_transform(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x))


@pytest.mark.parametrize("quality", ["fast", "balanced"])
def test_every_attribute_is_within_the_quantisation_step(scene: Path, quality: str, tmp_path: Path) -> None:
    bundle = tmp_path / "scene.sog"
    splats = read_ply(scene)
    write_sog(bundle, native.encode(splats, parameters=Parameters(quality=quality), device="cpu"))
    got = decode_with_splat_transform(bundle, tmp_path / "decoded.ply")

    # The bundle keeps the usable splats along a curve. Which row went where is ours to say; what follows checks it.
    usable, _ = drop_unusable(splats)
    order = hilbert_order(usable.positions)
    assert sorted(order.tolist()) == list(range(len(usable)))
    want = usable.take(order)
    with zipfile.ZipFile(bundle) as archive:
        meta = json.loads(archive.read("meta.json"))
    assert len(got["x"]) == meta["count"] == len(want)

    _check_positions(stack(got, "x", "y", "z"), want.positions, meta["means"])
    scales = np.array(meta["scales"]["codebook"])
    error = np.abs(stack(got, "scale_0", "scale_1", "scale_2") - want.scales)
    np.testing.assert_array_less(error, nearest_distance(want.scales, scales) + 1e-4)
    sh0 = np.array(meta["sh0"]["codebook"])
    error = np.abs(stack(got, "f_dc_0", "f_dc_1", "f_dc_2") - want.sh0)
    np.testing.assert_array_less(error, nearest_distance(want.sh0, sh0) + 1e-4)
    assert np.abs(sigmoid(got["opacity"]) - sigmoid(want.opacities.astype(float))).max() < 0.501 / 255
    _check_rotations(stack(got, "rot_0", "rot_1", "rot_2", "rot_3"), want.rotations)
    if want.sh_bands:
        _check_palette(got, want.shn)


def _check_positions(got: np.ndarray, want: np.ndarray, means: dict[str, list[float]]) -> None:
    low, high = np.array(means["mins"]), np.array(means["maxs"])
    error = np.abs(log_transform(got) - log_transform(want.astype(float)))
    # Half a step of 16 bits, and what float32 adds on the way through the PLY.
    assert (error <= 0.5001 * (high - low) / 65535 + 2e-6).all()


def _check_rotations(got: np.ndarray, want: np.ndarray) -> None:
    cosine = np.abs((got * want).sum(1)) / np.linalg.norm(got, axis=1) / np.linalg.norm(want.astype(float), axis=1)
    degrees = np.degrees(2 * np.arccos(cosine.clip(0, 1)))
    # Three components of 8 bits, rounded: 0.34 degrees on average; truncated it would be 0.68.
    assert degrees.mean() < 0.4
    assert degrees.max() < 1.3


def _check_palette(got: Columns, want: np.ndarray) -> None:
    coefficients = SH_COEFFICIENTS[SH_COEFFICIENTS.index(want.shape[1])]
    decoded = stack(got, *(f"f_rest_{k}" for k in range(3 * coefficients))).reshape(len(want), 3, coefficients)
    residual = float(((decoded.transpose(0, 2, 1) - want) ** 2).sum())
    assert residual < 0.6 * float((want.astype(float) ** 2).sum())
