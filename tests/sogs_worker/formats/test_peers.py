"""PlayCanvas' converter decodes each of these files to what our reader does."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from packed_scenes import build_sog_v1, draw_splat_rows, dump, pack_compressed_ply, pack_splat, pack_spz, pack_spz4
from scenes import real_scene
from sogs_worker.formats import read_scene
from sogs_worker.splats import Splats
from viewers.peers import HERE, TIMEOUT_S, Columns, decode_with_splat_transform, stack

TOOL = HERE / "node_modules/.bin/splat-transform"

MADE: dict[str, Callable[[], bytes]] = {
    **{f"bands{bands}.ply": lambda bands=bands: pack_compressed_ply(bands=bands) for bands in range(4)},
    "old.compressed.ply": lambda: pack_compressed_ply(colours=False, bands=0),
    **{
        f"version{version}-bands{bands}.spz": lambda version=version, bands=bands: pack_spz(
            50, version=version, bands=bands
        )
        for version in (2, 3)
        for bands in range(4)
    },
    **{f"version4-bands{bands}.spz": lambda bands=bands: pack_spz4(50, bands=bands) for bands in range(4)},
    "rows.splat": lambda: pack_splat(draw_splat_rows(200)),
}
HALF_STEP = 0.5 / 128
"""Of a component of a .splat's rotation, whose bytes the converter takes for other values than the format's viewer."""


@pytest.fixture(autouse=True)
def _converter() -> None:
    if not TOOL.exists():
        pytest.skip(f"{TOOL} is not there: npm ci in tests/viewers installs it")


def check(path: Path, out: Path) -> None:
    theirs, ours = decode_with_splat_transform(path, out), read_scene(path)
    assert len(theirs["x"]) == len(ours)
    slack = 2 * HALF_STEP if path.suffix == ".splat" else 1e-5
    compare(stack(theirs, "x", "y", "z"), ours.positions)
    compare(stack(theirs, "scale_0", "scale_1", "scale_2"), ours.scales)
    compare(stack(theirs, "f_dc_0", "f_dc_1", "f_dc_2"), ours.sh0)
    compare(theirs["opacity"].clip(-13.8155, 13.8155), ours.opacities)
    compare(stack_harmonics(theirs, ours), ours.shn)
    theirs_unit = normalised(stack(theirs, "rot_0", "rot_1", "rot_2", "rot_3"))
    np.testing.assert_allclose(theirs_unit, normalised(ours.rotations), atol=slack)


def compare(theirs: np.ndarray, ours: np.ndarray) -> None:
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)


def normalised(rotations: np.ndarray) -> np.ndarray:
    return rotations / np.linalg.norm(rotations, axis=1, keepdims=True)


def stack_harmonics(columns: Columns, like: Splats) -> np.ndarray:
    names = [name for name in columns if name.startswith("f_rest_")]
    coefficients = len(names) // 3
    assert coefficients == like.shn.shape[1]
    if not names:
        return np.empty(like.shn.shape)
    columns_by_channel = [[columns[f"f_rest_{channel * coefficients + c}"] for channel in range(3)] for c in
                          range(coefficients)]  # fmt: skip
    return np.array(columns_by_channel).transpose(2, 0, 1)


@pytest.mark.parametrize("name", MADE)
def test_packed_files_decode_alike(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(MADE[name]())
    check(path, tmp_path / "decoded.ply")


@pytest.mark.parametrize("bands", range(4))
def test_version_1_of_sog_decodes_alike(bands: int, tmp_path: Path) -> None:
    meta, planes = build_sog_v1(bands=bands)
    for name, data in {**planes, "meta.json": dump(meta)}.items():
        (tmp_path / name).write_bytes(data)
    check(tmp_path / "meta.json", tmp_path / "decoded.ply")


@pytest.mark.parametrize("suffix", [".compressed.ply", ".spz", "3.spz"])
def test_what_the_converter_writes_decodes_alike(suffix: str, tmp_path: Path) -> None:
    options = ["--spz-version", "3"] if suffix == "3.spz" else []
    path, source = tmp_path / f"scene{suffix}", real_scene("train_1000.ply")
    command = [TOOL, "-g", "cpu", "-w", *options, source, path]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S)
    check(path, tmp_path / "decoded.ply")


def test_a_real_compressed_ply_decodes_alike(tmp_path: Path) -> None:
    check(real_scene("biker.compressed.ply"), tmp_path / "decoded.ply")


def test_a_real_bundle_decodes_alike(tmp_path: Path) -> None:
    check(real_scene("skull.sog"), tmp_path / "decoded.ply")
