"""Scenes that the original's square does not fit: how many it crops, and small ones filled up with copies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from packed_scenes import build_sog_v1
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.sogs.arrays import to_arrays
from sogs_worker.engines.sogs.squares import (
    count_cropped,
    expected_prints,
    fill_square,
    find_copies,
    fingerprints,
    keep_texels,
)
from sogs_worker.errors import WorkerError
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.version1 import DocumentV1
from sogs_worker.formats.sog.webp import decode_plane
from sogs_worker.splats import Splats
from splat_builders import build_splats


def make_tensors(splats: Splats) -> dict[str, Tensor]:
    return {name: torch.tensor(array) for name, array in to_arrays(splats).items()}


class Transform:
    """What the original does to positions, as its README says: sign(x) log(1 + |x|)."""

    def run_compression(self, compress_dir: str, splats: dict[str, Tensor], verbose: bool) -> None:
        raise NotImplementedError

    def log_transform(self, x: Tensor) -> Tensor:
        return torch.sign(x) * torch.log1p(torch.abs(x))


def sorted_as_the_original_does(tensors: dict[str, Tensor], order: np.ndarray) -> dict[str, Tensor]:
    quats = torch.nn.functional.normalize(tensors["quats"], dim=-1)
    quats = torch.where(quats[:, 3:] < 0, -quats, quats)
    changed = {
        "means": Transform().log_transform(tensors["means"]),
        "quats": quats,
        "sh0": tensors["sh0"].clamp(-3, 3),
        "shN": tensors["shN"].clamp(-6, 6),
    }
    return {name: value[order] for name, value in {**tensors, **changed}.items()}


@pytest.mark.parametrize(("count", "cropped"), [(256, 0), (257, 1), (288, 32), (289, 0), (200_000, 191)])
def test_what_is_beyond_the_largest_square_is_cropped(count: int, cropped: int) -> None:
    assert count_cropped(count) == cropped


@given(st.integers(1, 255), st.integers(0, 2**32 - 1))
def test_each_splat_of_a_small_scene_is_kept_once(count: int, seed: int) -> None:
    filled = fill_square(build_splats(count, bands=1, seed=seed))
    assert len(filled) == 256
    given = make_tensors(filled)
    order = np.random.default_rng(seed).permutation(256)
    after = fingerprints(sorted_as_the_original_does(given, order))
    kept = order[~find_copies(expected_prints(Transform(), given), after, count)] % count
    assert sorted(kept) == list(range(count))


def test_splats_that_are_alike_are_kept_as_often_as_they_were_there() -> None:
    scene = build_splats(5, bands=0).take(np.array([0, 0, 0, 1, 2, 2, 3, 4]))
    given = make_tensors(fill_square(scene))
    order = np.random.default_rng(0).permutation(256)
    after = fingerprints(sorted_as_the_original_does(given, order))
    kept = order[~find_copies(expected_prints(Transform(), given), after, 8)] % 8
    colours = scene.sh0[kept][:, 0]
    assert sorted(colours) == sorted(scene.sh0[:, 0])


def test_cropped_splats_are_no_copies() -> None:
    prints = np.arange(300)
    assert not find_copies(prints, np.random.default_rng(0).permutation(300)[:289], 300).any()


def test_splats_in_the_places_of_others_are_noticed() -> None:
    given = make_tensors(build_splats(256))
    expected = expected_prints(Transform(), given)
    order = np.zeros(256, int)
    with pytest.raises(WorkerError, match="the original's sort has lost 255 of 256 splats"):
        find_copies(expected, fingerprints(sorted_as_the_original_does(given, order)), 256)
    with pytest.raises(WorkerError, match="has lost 256 of 256"):
        find_copies(expected, fingerprints(given), 256)


@given(st.integers(0, 255), st.integers(0, 11))
def test_any_other_value_is_another_fingerprint(splat: int, column: int) -> None:
    given = make_tensors(build_splats(256, bands=1))
    before = fingerprints(given)
    name = [*given][column // 2]
    given[name].reshape(256, -1)[splat, 0] += 1e-3
    assert np.flatnonzero(fingerprints(given) != before).tolist() == [splat]


def test_scenes_that_are_large_enough_stay_as_they_are() -> None:
    scene = build_splats(256)
    assert fill_square(scene) is scene


def test_texels_that_stay_keep_their_bytes_in_their_order() -> None:
    meta, planes = build_sog_v1(100, bands=1)
    kept = np.random.default_rng(3).random(100) < 0.4
    left = keep_texels(EncodedScene(DocumentV1(meta), planes, Dropped()), kept)
    count = int(kept.sum())
    assert left.meta.count == count
    for name, image in left.images.items():
        if name == "shN_centroids.webp":
            assert image == planes[name]
        else:
            texels = decode_plane(image).reshape(-1, 4)[:count]
            assert np.array_equal(texels, decode_plane(planes[name]).reshape(-1, 4)[kept]), name
