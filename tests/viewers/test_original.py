"""A scene by the original SOGS, and what our conversion makes of it, in PlayCanvas' converter and viewer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenes import ROOT, made_scene
from sogs_worker.encode.dropped import Dropped
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.meta_fields import FILES
from sogs_worker.formats.sog.upgrade import upgrade
from sogs_worker.formats.sog.version1 import DocumentV1
from viewers.peers import decode_with_splat_transform, draw_with_playcanvas, orbit, psnr, stack

GOLDEN = ROOT / "tests" / "golden" / "sogs-v1"
"""README.md there says how it was made."""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of version 2."""
    document = json.loads((GOLDEN / "meta.json").read_bytes())
    images = {name: (GOLDEN / name).read_bytes() for names in FILES.values() for name in names}
    bundle = tmp_path_factory.mktemp("upgraded") / "scene.sog"
    write_sog(bundle, upgrade(EncodedScene(DocumentV1(document), images, Dropped()), device="cpu"))
    return bundle


def test_its_metadata_is_written_as_the_original_writes_it() -> None:
    data = (GOLDEN / "meta.json").read_bytes()
    assert DocumentV1(json.loads(data)).to_json() == data


def test_both_versions_are_the_scene(upgraded: Path, tmp_path: Path) -> None:
    scene = read_ply(made_scene(tmp_path / "made.ply", 400))
    for decoded in (read_scene(GOLDEN / "meta.json"), read_sog(upgraded)):
        gaps = np.abs(decoded.positions[:, None] - scene.positions[None]).max(axis=2)
        assert gaps.min(axis=1).max() < 1e-3
        nearest = gaps.argmin(axis=1)
        assert sorted(nearest) == list(range(400))
        assert np.abs(decoded.scales - scene.scales[nearest]).max() < 0.03
        assert np.abs(decoded.sh0 - scene.sh0[nearest]).max() < 0.02
        alphas = [1 / (1 + np.exp(-splats.astype(float))) for splats in (decoded.opacities, scene.opacities[nearest])]
        assert np.abs(alphas[0] - alphas[1]).max() < 0.02
        assert np.abs(decoded.shn - scene.shn[nearest]).mean() < 0.02


@pytest.mark.parametrize("version", [1, 2])
def test_the_converter_reads_what_we_read(version: int, upgraded: Path, tmp_path: Path) -> None:
    path = GOLDEN / "meta.json" if version == 1 else upgraded
    ours = read_scene(path)
    columns = decode_with_splat_transform(path, tmp_path / "decoded.ply")
    assert stack(columns, "x", "y", "z") == pytest.approx(ours.positions, rel=1e-4, abs=1e-5)
    assert stack(columns, "scale_0", "scale_1", "scale_2") == pytest.approx(ours.scales, abs=1e-5)
    assert stack(columns, "f_dc_0", "f_dc_1", "f_dc_2") == pytest.approx(ours.sh0, abs=1e-4)
    rest = np.stack([columns[f"f_rest_{k}"] for k in range(45)]).reshape(3, 15, 400).transpose(2, 1, 0)
    assert rest == pytest.approx(ours.shn, abs=1e-4)


def test_the_viewer_shows_the_same_scene(upgraded: Path, tmp_path: Path) -> None:
    scene = made_scene(tmp_path / "made.ply", 400)
    splats = read_ply(scene)
    views = orbit(splats.positions, splats.opacities, 2)
    _, want = draw_with_playcanvas(scene, views, tmp_path / "source")
    count, got = draw_with_playcanvas(upgraded, views, tmp_path / "bundle")
    assert count == 400
    assert (want.max(axis=-1) > 2).mean() > 0.05, "the views must show the scene"
    assert psnr(want, got) > 38
