"""The stock PlayCanvas engine shows our bundle as it shows the scene it was made from."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenes import made_scene, real_scene
from sogs_worker.engines import native
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats.glb.writing import write_glb
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from viewers.peers import ViewerError, convert_with_splat_transform, draw_with_playcanvas, orbit, psnr

Fault = Callable[[dict[str, bytes]], None]

# The least PSNR [dB] against the engine's own pictures of the PLY.
SCENES = {"made.ply": 37.0, "leica_sofort_top8192.ply": 34.5, "fruit_drops_minimal.ply": 41.5}


@pytest.fixture(scope="module", params=SCENES)
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "made.ply":
        return made_scene(tmp_path_factory.mktemp("made") / "made.ply", 20_000)
    return real_scene(request.param)


def compress(scene: Path, bundle: Path) -> Path:
    write_sog(bundle, native.encode(read_ply(scene), parameters=Parameters(), device="cpu"))
    return bundle


def test_the_engine_shows_the_same_scene(scene: Path, tmp_path: Path) -> None:
    splats = read_ply(scene)
    views = orbit(splats.positions, splats.opacities, 2)
    bundle = compress(scene, tmp_path / "scene.sog")
    visible = len(read_sog(bundle))
    assert visible == (splats.opacities >= np.float32(np.log(1 / 254))).sum()

    count, want = draw_with_playcanvas(scene, views, tmp_path / "source")
    assert count == len(splats)
    count, got = draw_with_playcanvas(bundle, views, tmp_path / "bundle")
    assert count == visible
    assert (want.max(axis=-1) > 2).mean() > 0.05, "the views must show the scene"
    assert psnr(want, got) > SCENES[scene.name]


def test_the_engine_shows_our_glb_as_that_of_the_converter(made: Path, tmp_path: Path) -> None:
    """From the other side than a PLY: the axes of glTF are half a turn about z from its own."""
    splats = read_ply(made)
    ours, theirs = tmp_path / "ours.glb", tmp_path / "theirs.glb"
    write_glb(ours, splats)
    convert_with_splat_transform(made, theirs)
    views = orbit(splats.positions, splats.opacities, 1)
    views["views"] = [{name: [-x, -y, z] for name, (x, y, z) in view.items()} for view in views["views"]]
    count, want = draw_with_playcanvas(theirs, views, tmp_path / "theirs")
    assert count == len(splats)
    assert (want.max(axis=-1) > 2).mean() > 0.05, "the views must show the scene"
    count, got = draw_with_playcanvas(ours, views, tmp_path / "ours")
    assert count == len(splats)
    assert psnr(want, got) > 60


def rewrite(bundle: Path, out: Path, change: Fault) -> Path:
    """Copy a bundle; `change(files)` alters its files by name on the way."""
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out


def reverse_the_scales(files: dict[str, bytes]) -> None:
    meta = json.loads(files["meta.json"])
    meta["scales"]["codebook"].reverse()
    files["meta.json"] = json.dumps(meta).encode()


def swap_position_bytes(files: dict[str, bytes]) -> None:
    files["means_l.webp"], files["means_u.webp"] = files["means_u.webp"], files["means_l.webp"]


def truncate_a_plane(files: dict[str, bytes]) -> None:
    files["quats.webp"] = files["quats.webp"][: len(files["quats.webp"]) // 2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_scene(tmp_path_factory.mktemp("made") / "made.ply", 5000)


@pytest.mark.parametrize("fault", [reverse_the_scales, swap_position_bytes])
def test_the_comparison_sees_a_wrong_bundle(made: Path, fault: Fault, tmp_path: Path) -> None:
    splats = read_ply(made)
    views = orbit(splats.positions, splats.opacities, 1)
    wrong = rewrite(compress(made, tmp_path / "scene.sog"), tmp_path / "wrong.sog", fault)
    _, want = draw_with_playcanvas(made, views, tmp_path / "source")
    _, got = draw_with_playcanvas(wrong, views, tmp_path / "bundle")
    assert np.isfinite(psnr(want, got))
    assert psnr(want, got) < 25


def test_the_engine_refuses_a_truncated_plane(made: Path, tmp_path: Path) -> None:
    splats = read_ply(made)
    wrong = rewrite(compress(made, tmp_path / "scene.sog"), tmp_path / "wrong.sog", truncate_a_plane)
    with pytest.raises(ViewerError, match="quats"):
        draw_with_playcanvas(wrong, orbit(splats.positions, splats.opacities, 1), tmp_path / "bundle")
