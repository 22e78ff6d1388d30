"""Viewers show a bundle whose splats were fitted to pictures as they show the splats that it decodes to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from refined_bundles import build_program, emulated, encode_hastily
from scenes import made_scene
from sogs_worker.engines.parameters import REFINED_QUALITIES, Parameters
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.formats.sog.file import read_sog, write_sog
from viewers.peers import decode_with_splat_transform, draw_with_playcanvas, orbit, psnr, stack

SPLATS = 3000


@pytest.fixture(scope="module", params=REFINED_QUALITIES)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refined")
    scene = read_ply(made_scene(folder / "scene.ply", SPLATS))
    with emulated(build_program(folder)):
        write_sog(folder / "scene.sog", encode_hastily(scene, Parameters(quality=request.param), 2))
    return folder / "scene.sog"


def test_the_converter_reads_what_we_read(bundle: Path, tmp_path: Path) -> None:
    ours, theirs = read_sog(bundle), decode_with_splat_transform(bundle, tmp_path / "decoded.ply")
    assert len(ours) < SPLATS / 2
    np.testing.assert_allclose(stack(theirs, "x", "y", "z"), ours.positions, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(stack(theirs, "f_dc_0", "f_dc_1", "f_dc_2"), ours.sh0, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs["f_rest_0"], ours.shn[:, 0, 0], rtol=1e-5, atol=1e-5)


def test_the_engine_shows_what_it_decodes_to(bundle: Path, tmp_path: Path) -> None:
    splats = read_sog(bundle)
    write_ply(tmp_path / "decoded.ply", splats)
    views = orbit(splats.positions, splats.opacities, 2)
    count, want = draw_with_playcanvas(tmp_path / "decoded.ply", views, tmp_path / "ply")
    assert count == len(splats)
    assert (want.max(axis=-1) > 2).mean() > 0.05, "the views must show the scene"
    count, got = draw_with_playcanvas(bundle, views, tmp_path / "bundle")
    assert count == len(splats)
    assert psnr(want, got) > 33, "it keeps a PLY otherwise than a bundle: the same is true of bundles of all splats"
