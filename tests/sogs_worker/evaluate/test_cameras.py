"""The cameras of a file, which may be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.evaluate import read_views

CAMERA: dict[str, Any] = {
    "name": "left.jpg",
    "world_to_camera": [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]],
    "K": [[100, 0, 33], [0, 110, 22], [0, 0, 1]],
    "width": 64,
    "height": 48,
    "split": "test",
}


def test_cameras_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps([CAMERA, {key: CAMERA[key] for key in CAMERA if key != "name"}]))
    first, second = read_views(path)
    assert (first.name, second.name) == ("left.jpg", "camera1")
    camera = first.camera
    assert (camera.focal, camera.centre, camera.width, camera.height) == ((100, 110), (33, 22), 64, 48)
    assert np.array_equal(camera.world_to_camera, CAMERA["world_to_camera"])
    assert camera.position == pytest.approx([-2, 1, -3])
    assert [view.name for view in read_views(path, 1)] == ["left.jpg"]
    assert len(read_views(path, 9)) == 2


def wrong(**fields: object) -> str:
    """A file with a good camera and one with these fields."""
    return json.dumps([CAMERA, {**CAMERA, **fields}])


FAULTS: dict[str, tuple[str, str]] = {
    "not JSON": ("[{", "not a JSON file"),
    "deep": ("[" * 100_000, "not a JSON file"),
    "binary": ("\udcff\udcfe", "not a JSON file"),
    "no list": ("{}", "a list of at least one camera"),
    "no camera": ("[]", "a list of at least one camera"),
    "no object": ("[3]", "camera 0 must be a JSON object"),
    "no matrix": (wrong(world_to_camera=None), "camera 1: world_to_camera must be 4 rows of 4 finite numbers"),
    "3 rows": (wrong(world_to_camera=np.eye(4)[:3].tolist()), "world_to_camera must be 4 rows of 4 finite numbers"),
    "stretched": (wrong(world_to_camera=np.diag([2, 1, 1, 1]).tolist()), "without scale or mirror"),
    "mirrored": (wrong(world_to_camera=np.diag([-1, 1, 1, 1]).tolist()), "without scale or mirror"),
    "transposed": (wrong(world_to_camera=np.transpose(CAMERA["world_to_camera"]).tolist()), "a rotation and a shift"),
    "ragged": (wrong(K=[[1, 2], [3]]), "K must be 3 rows of 3 finite numbers"),
    "text": (wrong(K=[["a"] * 3] * 3), "K must be 3 rows of 3 finite numbers"),
    "NaN": (wrong(K=[[float("nan")] * 3] * 3), "K must be 3 rows of 3 finite numbers"),
    "immense": (wrong(K=[[10**400] * 3] * 3), "K must be 3 rows of 3 finite numbers"),
    "no focal length": (wrong(K=np.diag([0, 1, 1]).tolist()), "focal lengths above 0"),
    "skew": (wrong(K=[[9, 1, 0], [0, 9, 0], [0, 0, 1]]), "no skew"),
    "no width": (wrong(width=None), "width must be an integer from 11 to 8192, got None"),
    "small": (wrong(height=10), "height must be an integer from 11 to 8192, got 10"),
    "large": (wrong(height=10**9), "height must be an integer from 11 to 8192"),
    "half a pixel": (wrong(width=64.5), "width must be an integer"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_file_of_cameras_is_refused(name: str, tmp_path: Path) -> None:
    text, words = FAULTS[name]
    path = tmp_path / "cameras.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInputError) as refusal:
        read_views(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_of_cameras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError, match=r"none.json: no such file"):
        read_views(tmp_path / "none.json")
