"""PlayCanvas' converter decodes each of these files to what our reader does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from packed_scenes import (
    build_sog_v1,
    draw_ksplat,
    draw_splat_rows,
    dump,
    pack_compressed_ply,
    pack_splat,
    pack_spz,
    pack_spz4,
)
from scenes import real_scene
from sogs_worker.formats import WRITERS, read_scene
from sogs_worker.formats.glb.writing import write_glb
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.spz.packing import write_spz
from sogs_worker.formats.spz.streams import opened_streams
from sogs_worker.splats import SH_COEFFICIENTS, Splats
from splat_builders import build_splats, covariances
from viewers.peers import HERE, TIMEOUT_S, Columns, convert_with_splat_transform, decode_with_splat_transform, stack

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
    **{
        f"level{level}-bands{bands}.ksplat": lambda level=level, bands=bands: draw_ksplat(level=level, bands=bands)
        for level in range(3)
        for bands in range(3)
    },
    "rows.splat": lambda: pack_splat(draw_splat_rows(200)),
}
ATTRIBUTES = "/meshes/0/primitives/0/attributes/"
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
    convert_with_splat_transform(source, path, *options)
    check(path, tmp_path / "decoded.ply")


def test_a_real_compressed_ply_decodes_alike(tmp_path: Path) -> None:
    check(real_scene("biker.compressed.ply"), tmp_path / "decoded.ply")


def test_a_real_bundle_decodes_alike(tmp_path: Path) -> None:
    check(real_scene("skull.sog"), tmp_path / "decoded.ply")


@pytest.mark.parametrize("degree", range(3))
@pytest.mark.parametrize("level", range(3))
def test_what_the_viewer_of_ksplat_writes_decodes_alike(level: int, degree: int, tmp_path: Path) -> None:
    path, source = tmp_path / "scene.ksplat", real_scene("train_1000.ply")
    run_script("ksplat.mjs", source, path, level, degree, 64)
    check(path, tmp_path / "decoded.ply")
    ours, scene = read_scene(path), read_scene(source)
    assert (len(ours), ours.sh_bands) == (len(scene), degree)
    assert np.sort(ours.positions, axis=0) == pytest.approx(np.sort(scene.positions, axis=0), abs=0.001)


@pytest.mark.parametrize("bands", [0, 3])
@pytest.mark.parametrize("suffix", [".compressed.ply", ".spz", ".ply"])
def test_what_we_write_decodes_alike(suffix: str, bands: int, tmp_path: Path) -> None:
    path = tmp_path / f"scene{suffix}"
    WRITERS[suffix](path, read_scene(real_scene("train_1000.ply")).with_sh_bands(bands))
    check(path, tmp_path / "decoded.ply")


@pytest.mark.parametrize("bands", range(4))
def test_an_spz_is_that_of_niantics_own_library(bands: int, tmp_path: Path) -> None:
    """Which the converter writes with: the same bytes in every stream, and its reader finds the same numbers."""
    source, ours, theirs = (tmp_path / name for name in ("scene.ply", "ours.spz", "theirs.spz"))
    splats = read_scene(real_scene("train_1000.ply")).with_sh_bands(bands)
    write_ply(source, splats)
    write_spz(ours, splats)
    convert_with_splat_transform(source, theirs)
    assert streams_of(ours) == streams_of(theirs)
    cloud, again = json.loads(run_script("spz.mjs", ours).splitlines()[-1]), read_scene(ours)
    assert (cloud["numPoints"], cloud["shDegree"], cloud["antialiased"]) == (1000, bands, False)
    compare(np.reshape(cloud["positions"], (-1, 3)), again.positions)
    compare(np.reshape(cloud["scales"], (-1, 3)), again.scales)
    compare(np.reshape(cloud["colors"], (-1, 3)), again.sh0)
    compare(np.clip(cloud["alphas"], -13.8155, 13.8155), again.opacities)
    compare(np.reshape(cloud["sh"], again.shn.shape), again.shn)
    compare(np.roll(np.reshape(cloud["rotations"], (-1, 4)), 1, axis=1), again.rotations)


def streams_of(path: Path) -> list[bytes]:
    with path.open("rb") as file, opened_streams(file) as (header, read, _):
        widths = [9, 1, 3, 3, 4, *([3 * SH_COEFFICIENTS[header.bands]] if header.bands else [])]
        return [read(header.count * width) for width in widths]


@pytest.mark.parametrize("bands", range(4))
def test_a_glb_of_the_converter_is_the_scene_it_was_made_from(bands: int, tmp_path: Path) -> None:
    source, theirs, ours = (tmp_path / name for name in ("scene.ply", "theirs.glb", "ours.glb"))
    splats = read_scene(real_scene("train_1000.ply")).with_sh_bands(bands)
    write_ply(source, splats)
    write_glb(ours, splats)
    convert_with_splat_transform(source, theirs)
    for path in (theirs, ours):
        again = read_scene(path)
        for name in ("positions", "sh0", "shn", "scales"):
            compare(getattr(splats, name), getattr(again, name))
        np.testing.assert_allclose(again.opacities, splats.opacities, atol=1e-3)
        shapes = covariances(splats)
        np.testing.assert_allclose(covariances(again), shapes, rtol=1e-4, atol=1e-6 * np.abs(shapes).max())


@pytest.mark.parametrize("bands", [0, 3])
def test_a_glb_is_valid(bands: int, tmp_path: Path) -> None:
    """To Khronos' validator, which does not know the extension yet, and so not the names of its attributes."""
    path = tmp_path / "scene.glb"
    write_glb(path, build_splats(100, bands=bands))
    issues = json.loads(run_script("validate.mjs", path))
    unknown = [issue for issue in issues if issue["pointer"].startswith(f"{ATTRIBUTES}KHR_gaussian_splatting:")]
    assert {issue["code"] for issue in unknown} == {"MESH_PRIMITIVE_INVALID_ATTRIBUTE"}
    assert [issue["code"] for issue in issues if issue not in unknown] == ["UNSUPPORTED_EXTENSION"]


def test_the_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "scene.glb"
    write_glb(path, build_splats(100, bands=0))
    path.write_bytes(re.sub(rb'("max":\[)\d', rb"\g<1>9", path.read_bytes()))
    assert "ACCESSOR_MAX_MISMATCH" in {issue["code"] for issue in json.loads(run_script("validate.mjs", path))}


def run_script(name: str, *arguments: object) -> str:
    command = ["node", "--no-deprecation", HERE / name, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=TIMEOUT_S).stdout
