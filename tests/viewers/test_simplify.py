"""Our simplified scenes look more like their source than those that PlayCanvas' converter makes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scenes import real_scene
from sogs_worker.encode.clean import clean, drop_unusable
from sogs_worker.encode.cloud import upload
from sogs_worker.evaluate.comparison import compare, draw
from sogs_worker.evaluate.views import orbit_views
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.simplify import simplify
from sogs_worker.splats import ARRAYS
from viewers.peers import convert_with_splat_transform


@pytest.mark.parametrize(("percent", "better_db"), [(50, 3), (25, 3)])
@pytest.mark.parametrize("name", ["leica_sofort_top8192.ply", "fruit_drops_minimal.ply"])
def test_fewer_splats_look_more_like_the_scene_than_the_converters(
    name: str, percent: int, better_db: float, tmp_path: Path
) -> None:
    scene = real_scene(name)
    source, _ = drop_unusable(read_ply(scene))
    count = len(source) * percent // 100
    convert_with_splat_transform(scene, tmp_path / "fewer.ply", actions=["--decimate-adaptive", f"{percent}%"])
    theirs, _ = drop_unusable(read_ply(tmp_path / "fewer.ply"))
    cloud = simplify(clean(upload(source, "cpu")).cloud, count).cloud
    ours = replace(source, **{each: getattr(cloud, each).numpy() for each in ARRAYS})
    assert len(ours) <= len(theirs)
    views = orbit_views(source)
    wanted = list(draw(source, views, device="cpu"))
    got, peer = (compare(views, wanted, draw(each, views, device="cpu")) for each in (ours, theirs))
    assert got.psnr > peer.psnr + better_db
    assert got.worst.psnr > peer.worst.psnr
