"""SOG version 1: values by hand, faults in one sentence. `test_peers` compares with PlayCanvas' converter."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from packed_scenes import build_sog_v1, dump, encode_webp
from sogs_worker.cli.inspect import format_description, inspect_file
from sogs_worker.errors import BadInputError
from sogs_worker.formats import read_scene, scene_bytes
from sogs_worker.formats.sog.file import count_splats, read_meta, read_quantized

Planes = dict[str, bytes]


def write(folder: Path, meta: dict[str, Any], planes: Planes) -> Path:
    for name, data in {**planes, "meta.json": dump(meta)}.items():
        (folder / name).write_bytes(data)
    return folder / "meta.json"


def pixels(planes: Planes, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(planes[name]))).astype(float)


def test_values_by_hand(tmp_path: Path) -> None:
    meta, planes = build_sog_v1(100, bands=1)
    splats = read_scene(write(tmp_path, meta, planes))
    assert (len(splats), splats.sh_bands) == (100, 1)
    row, column = 3, 7
    splat = 10 * row + column
    steps = pixels(planes, "means_l.webp")[row, column] + 256 * pixels(planes, "means_u.webp")[row, column]
    logs = np.array([-1, -2, -3]) + steps / 65535 * np.array([2.5, 4, 6])
    assert splats.positions[splat] == pytest.approx(np.sign(logs) * (np.exp(np.abs(logs)) - 1), rel=1e-5)
    scales = pixels(planes, "scales.webp")[row, column] / 255 * 6 + [-9, -8, -7]
    assert splats.scales[splat] == pytest.approx(scales, rel=1e-5)
    sh0 = pixels(planes, "sh0.webp")[row, column] / 255 * [4, 4, 4, 14] + [-1, -2, -3, -6]
    assert [*splats.sh0[splat], splats.opacities[splat]] == pytest.approx(sh0.tolist(), rel=1e-5)
    entry = int(pixels(planes, "shN_labels.webp")[row, column][0])
    centroids = pixels(planes, "shN_centroids.webp")[0, 3 * entry : 3 * entry + 3] / 255 * 4 - 2.5
    assert splats.shn[splat] == pytest.approx(centroids, abs=1e-5)


def test_splats_are_counted_by_decoding_every_plane(tmp_path: Path) -> None:
    meta, planes = build_sog_v1(100, bands=1)
    path = write(tmp_path, meta, planes)
    assert count_splats(path) == 100
    for name, data in planes.items():
        (tmp_path / name).write_bytes(data[:-8])
        with pytest.raises(BadInputError, match=re.escape(name)):
            count_splats(path)
        (tmp_path / name).write_bytes(data)


def test_it_may_be_in_a_bundle(tmp_path: Path) -> None:
    meta, planes = build_sog_v1()
    path = write(tmp_path, meta, planes)
    with zipfile.ZipFile(tmp_path / "scene.sog", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("meta.json", *planes):
            archive.write(tmp_path / name, name)
    assert np.array_equal(read_scene(tmp_path / "scene.sog").shn, read_scene(path).shn)
    assert scene_bytes(path) == sum(map(len, planes.values())) + path.stat().st_size


@pytest.mark.parametrize("bands", [0, 3])
def test_inspect_tells_what_it_holds(bands: int, tmp_path: Path) -> None:
    description = inspect_file(write(tmp_path, *build_sog_v1(bands=bands)))
    assert (description["splats"], description["shBands"]) == (100, bands)
    assert description["codebooks"]["scales"] == [-9, -1]
    assert ("shN" in description["codebooks"]) == bool(bands)
    assert "palette" not in description
    assert "codebook   opacity -6 to 8" in format_description(description)


def test_it_has_nothing_quantised_as_version_2(tmp_path: Path) -> None:
    path = write(tmp_path, *build_sog_v1())
    assert read_meta(path)[0].count == 100
    with pytest.raises(BadInputError, match="no codebooks"):
        read_quantized(path)


def set_field(section: str, **fields: object) -> Callable[[dict[str, Any], Planes], None]:
    return lambda meta, _planes: meta[section].update(fields)


def set_plane(name: str, shape: tuple[int, int, int], value: int) -> Callable[[dict[str, Any], Planes], None]:
    return lambda _meta, planes: planes.update({name: encode_webp(np.full(shape, value, np.uint8))})


FAULTS: dict[str, tuple[Callable[[dict[str, Any], Planes], object], str]] = {
    "no shape": (set_field("means", shape=None), "means.shape must be a list"),
    "empty shape": (set_field("means", shape=[]), "means.shape must be a list"),
    "no splats": (set_field("means", shape=[0, 3]), "means.shape must be 1 or more, got 0"),
    "huge": (set_field("means", shape=[2**31, 3]), "claims 2,147,483,648 splats"),
    "more than planes": (set_field("means", shape=[101, 3]), "fewer than the 101 splats"),
    "NaN": (set_field("scales", mins=[0, float("nan"), 0]), "scales.mins must have finite numbers only, got nan"),
    "two numbers": (set_field("sh0", maxs=[0, 1]), "sh0.maxs must have 4 numbers, got 2"),
    "list for shN": (set_field("shN", mins=[1]), "shN.mins must have finite numbers only, got [1]"),
    "path": (set_field("quats", files=["../quats.webp"]), "plain file names"),
    "no section": (lambda meta, _planes: meta.pop("quats"), "no quats"),
    "label": (set_plane("shN_labels.webp", (10, 10, 3), 255), "label 65535 is out of range"),
    "modes": (set_plane("quats.webp", (10, 10, 4), 100), "alpha must be 252 to 255, got 100"),
    "palette's width": (set_plane("shN_centroids.webp", (1, 100, 3), 1), "[192, 512, 960] texels wide, got 100"),
    "palette's height": (set_plane("shN_centroids.webp", (2000, 960, 3), 1), "960 x 2000 texels are more than"),
    "plane's size": (set_plane("sh0.webp", (2000, 2000, 4), 1), "2000 x 2000 texels are more than"),
    "no plane": (lambda _meta, planes: planes.pop("sh0.webp"), "no sh0.webp"),
    "broken plane": (lambda _meta, planes: planes.update({"sh0.webp": b"RIFF"}), "not a readable WebP"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file(fault: str, tmp_path: Path) -> None:
    spoil, words = FAULTS[fault]
    meta, planes = build_sog_v1()
    spoil(meta, planes)
    path = write(tmp_path, meta, planes)
    with pytest.raises(BadInputError) as caught:
        read_scene(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_metadata_is_read_up_to_a_limit_only(tmp_path: Path) -> None:
    meta, planes = build_sog_v1()
    path = write(tmp_path, meta, planes)
    path.write_text(json.dumps(meta | {"note": "x" * (1 << 20)}))
    with pytest.raises(BadInputError, match=r"meta\.json has more than 1,048,576 bytes"):
        read_scene(path)
