"""The layout makes all images, counts what was dropped, and ends its threads whatever happens."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from sogs_worker.encode.dropped import Dropped
from sogs_worker.encode.palette import Palette
from sogs_worker.encode.positions import Means
from sogs_worker.encode.quantized import Coded
from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog import layout as module
from sogs_worker.formats.sog.layout import EncodedScene, Layout
from sogs_worker.formats.sog.planes import read_palette_entries
from sogs_worker.formats.sog.webp import decode_plane

COUNT = 30
CODEBOOK = np.linspace(-1, 1, 256, dtype=np.float32)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def add_geometry(layout: Layout) -> None:
    layout.add_means(Means(np.full((COUNT, 3), 0x1234, np.uint16), np.zeros(3, np.float32), np.ones(3, np.float32)))
    layout.add_rotations(noise(COUNT, 4))
    layout.add_colours(Coded(noise(COUNT, 3), CODEBOOK), noise(COUNT))
    layout.add_scales(Coded(noise(COUNT, 3), CODEBOOK))


def build(*, labels: np.ndarray | None = None) -> EncodedScene:
    with Layout("cpu") as layout:
        if labels is not None:
            layout.add_palette(Palette(noise(300, 8, 3), CODEBOOK, labels))
        add_geometry(layout)
        return layout.finish(Dropped(unusable=3, invisible=4))


def texels(scene: EncodedScene, name: str) -> np.ndarray:
    return decode_plane(scene.images[name]).reshape(-1, 4)[:COUNT]


def test_bytes_are_split_low_byte_first() -> None:
    scene = build()
    assert (texels(scene, "means_l.webp") == [0x34, 0x34, 0x34, 255]).all()
    assert (texels(scene, "means_u.webp") == [0x12, 0x12, 0x12, 255]).all()
    assert np.array_equal(texels(scene, "quats.webp"), noise(COUNT, 4))
    assert np.array_equal(texels(scene, "sh0.webp")[:, 3], noise(COUNT))


def test_labels_follow_their_entries() -> None:
    labels = np.arange(270, 270 + COUNT, dtype=np.uint16)
    scene = build(labels=labels)
    low, high, nothing, opaque = texels(scene, "shN_labels.webp").T.astype(int)
    entries = read_palette_entries(decode_plane(scene.images["shN_centroids.webp"]), 300, 8)
    assert np.array_equal(entries[low + 256 * high], noise(300, 8, 3)[labels])
    assert not nothing.any()
    assert (opaque == 255).all()


def test_what_was_added_is_described() -> None:
    scene = build(labels=np.zeros(COUNT, np.uint16))
    assert (scene.meta.count, scene.dropped) == (COUNT, Dropped(unusable=3, invisible=4))
    assert scene.meta.palette
    assert (scene.meta.palette.count, scene.meta.palette.bands) == (300, 2)
    assert sorted(scene.images) == sorted(scene.meta.file_names)
    assert build().meta.palette is None
    assert len(build().images) == 5


def test_a_scene_without_positions_is_a_mistake() -> None:
    with Layout("cpu") as layout, pytest.raises(ValueError, match="add_means was not called"):
        layout.finish(Dropped())


def lay_out_until(error: Exception) -> None:
    with Layout("cpu") as layout:
        add_geometry(layout)
        raise error


def test_no_thread_is_left_when_the_block_fails() -> None:
    before = threading.active_count()
    with pytest.raises(BadInputError, match="half way"):
        lay_out_until(BadInputError("half way"))
    assert threading.active_count() == before


def test_an_image_that_cannot_be_made_fails_the_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise BadInputError("no such image")

    monkeypatch.setattr(module, "encode_vp8l", refuse)
    with pytest.raises(BadInputError, match="no such image"):
        build()
