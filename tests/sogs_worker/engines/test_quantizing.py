"""Splats are quantised once more with other steps, and in groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from drawn_scenes import random_scene
from sogs_worker.encode.cloud import upload
from sogs_worker.engines.native import Encoding
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.quantizing import quantize
from sogs_worker.formats.sog.file import read_sog, write_sog
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.splats import WORLD, Splats


def read(scene: EncodedScene, path: Path) -> Splats:
    write_sog(path, scene)
    return read_sog(path)


@pytest.mark.parametrize("bands", [0, 2])
def test_steps_of_the_same_width_give_the_same_and_wider_ones_fewer_bytes(bands: int) -> None:
    encoding = Encoding(random_scene(3000, bands, seed=1), Parameters(), "cpu")
    first = encoding.run(2000)
    assert encoding.kept is not None
    again = encoding.quantize_anew(encoding.kept, first, 1.0)
    assert (again.images, again.meta.to_json(), again.dropped) == (first.images, first.meta.to_json(), first.dropped)
    sizes = [sum(map(len, encoding.quantize_anew(encoding.kept, first, width).images.values())) for width in (1, 2, 4)]
    assert sizes[0] > sizes[1] > sizes[2]


def test_groups_follow_each_other_and_keep_their_splats(tmp_path: Path) -> None:
    splats = random_scene(3000, 1, seed=3)
    groups = torch.from_numpy((splats.positions[:, 0] > np.median(splats.positions[:, 0])).astype(np.int64) * 7)
    cloud = upload(splats, "cpu")
    scene = quantize([cloud], Parameters(), device="cpu", origin=WORLD, groups=groups)
    decoded = read(scene, tmp_path / "scene.sog").positions
    first = int((groups == 0).sum())
    for rows, number in ((decoded[:first], 0), (decoded[first:], 7)):
        want = splats.positions[groups.numpy() == number]
        assert np.sort(rows[:, 0]) == pytest.approx(np.sort(want[:, 0]), abs=0.05)
