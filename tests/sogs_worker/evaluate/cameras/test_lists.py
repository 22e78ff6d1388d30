"""The cameras of a file, which may be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenes import real_scene
from sogs_worker.errors import BadInputError, SourceMissingError, UsageError
from sogs_worker.evaluate import draw, read_views
from sogs_worker.evaluate.cameras import find_view
from sogs_worker.render.camera import look_at
from splat_builders import build_splats

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


def as_trainer(camera: dict[str, Any], number: int) -> dict[str, Any]:
    """Write a camera as Inria's trainer does: by the inverse of its matrix."""
    camera_to_world = np.linalg.inv(np.asarray(camera["world_to_camera"], float))
    return {
        "id": number,
        "img_name": camera["name"],
        "width": camera["width"],
        "height": camera["height"],
        "position": camera_to_world[:3, 3].tolist(),
        "rotation": camera_to_world[:3, :3].tolist(),
        "fy": camera["K"][1][1],
        "fx": camera["K"][0][0],
    }


CENTRED = {**CAMERA, "K": [[100, 0, 32], [0, 110, 24], [0, 0, 1]]}


def test_a_trainers_camera_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text(json.dumps([CENTRED]))
    (tmp_path / "theirs.json").write_text(json.dumps([as_trainer(CENTRED, 0), {**as_trainer(CENTRED, 1)}]))
    (ours,), (theirs, _) = read_views(tmp_path / "ours.json"), read_views(tmp_path / "theirs.json")
    assert theirs.name == "left.jpg"
    assert theirs.camera.world_to_camera == pytest.approx(ours.camera.world_to_camera)
    assert theirs.camera.position == pytest.approx([-2, 1, -3])
    for field in ("focal", "centre", "width", "height"):
        assert getattr(theirs.camera, field) == getattr(ours.camera, field)


def test_a_trainers_camera_draws_the_same_picture(tmp_path: Path) -> None:
    """Of a scene without symmetry, turned about all axes: no other convention would show the same."""
    turn = look_at(np.array([2.0, -1.5, -9.0]), np.array([0.5, 0.2, 0.0]), np.array([0.3, -1.0, 0.1]))
    camera = {**CENTRED, "world_to_camera": turn.tolist()}
    (tmp_path / "ours.json").write_text(json.dumps([camera]))
    (tmp_path / "theirs.json").write_text(json.dumps([as_trainer(camera, 0)]))
    splats = build_splats(300, bands=1)
    ours, theirs = (
        next(draw(splats, read_views(tmp_path / name), device="cpu")) for name in ("ours.json", "theirs.json")
    )
    assert ours.float().std() > 20
    assert (ours.float() - theirs.float()).abs().max() <= 1


def test_a_view_is_found_by_its_name_or_number(tmp_path: Path) -> None:
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps([{**CAMERA, "name": name} for name in ("a", "1", "b")]))
    views = read_views(path)
    assert [find_view(views, text).name for text in ("b", "1", "0", "2")] == ["b", "1", "a", "b"]
    with pytest.raises(UsageError, match=r"no camera '3'; name one of a, 1, b or a number from 0 to 2"):
        find_view(views, "3")


def test_cameras_of_a_real_scene_are_the_same_in_both_forms(tmp_path: Path) -> None:
    path = real_scene("snowmiku/cameras.json")
    cameras = json.loads(path.read_bytes())
    (tmp_path / "theirs.json").write_text(json.dumps([as_trainer(each, k) for k, each in enumerate(cameras)]))
    for ours, theirs in zip(read_views(path), read_views(tmp_path / "theirs.json"), strict=True):
        assert theirs.camera.world_to_camera == pytest.approx(ours.camera.world_to_camera, abs=1e-5)
        # Trainers know no principal point: theirs is the middle, this scene's about a thousandth off.
        assert theirs.camera.centre == pytest.approx(ours.camera.centre, abs=2)


def wrong(**fields: object) -> str:
    """A file with a good camera and one with these fields."""
    return json.dumps([CAMERA, {**CAMERA, **fields}])


def wrong_trainers(**fields: object) -> str:
    """The same of a trainer."""
    return json.dumps([as_trainer(CAMERA, 0), {**as_trainer(CAMERA, 1), **fields}])


FAULTS: dict[str, tuple[str, str]] = {
    "not JSON": ("[{", "not a JSON file"),
    "deep": ("[" * 100_000, "not a JSON file"),
    "binary": ("\udcff\udcfe", "not a JSON file"),
    "no list": ("{}", "a list of at least one camera"),
    "no camera": ("[]", "a list of at least one camera"),
    "no object": ("[3]", "camera 0: must be a JSON object"),
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
    "no width": (wrong(width=None), "width must be an integer from 11 to 16384, got None"),
    "small": (wrong(height=10), "height must be an integer from 11 to 16384, got 10"),
    "large": (wrong(height=10**9), "height must be an integer from 11 to 16384"),
    "trainer's position": (wrong_trainers(position=[1, 2]), "camera 1: position must be 3 finite numbers"),
    "trainer's rotation": (wrong_trainers(rotation=np.eye(2).tolist()), "rotation must be 3 rows of 3 finite numbers"),
    "trainer's mirror": (wrong_trainers(rotation=np.diag([1, 1, -1]).tolist()), "without scale or mirror"),
    "trainer's focal length": (wrong_trainers(fx="wide"), "camera 1: fx must be a finite number"),
    "trainer's focal length below 0": (wrong_trainers(fy=-3), "fx and fy must be above 0"),
    "trainer's size": (wrong_trainers(width=None), "width must be an integer from 11 to 16384"),
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
