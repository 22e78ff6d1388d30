"""A transforms.json: what it may leave out, the frame that nerfstudio trains in, and what is wrong with it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from camera_files import opengl_pose, write_colmap, write_transforms
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate import View, read_views
from sogs_worker.render.camera import Camera, look_at

EYE, TARGET, UP = np.array([2.0, -1.5, -9.0]), np.array([0.5, 0.2, 0.0]), np.array([0.3, -1.0, 0.1])
VIEW = View("images/frame_1.jpg", Camera(look_at(EYE, TARGET, UP), (70, 80), (33, 22), 64, 48))
POSE = {"file_path": VIEW.name, "transform_matrix": opengl_pose(VIEW).tolist()}
INTRINSICS = {"fl_x": 70.0, "fl_y": 80.0, "cx": 33.0, "cy": 22.0, "w": 64, "h": 48}


def read(folder: Path, document: Any) -> list[View]:
    (folder / "transforms.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return read_views(folder / "transforms.json")


def read_camera(folder: Path, **fields: object) -> Camera:
    (view,) = read(folder, {"frames": [POSE], **fields})
    return view.camera


def test_intrinsics_stand_at_the_top_or_in_each_frame(tmp_path: Path) -> None:
    (common,) = read(tmp_path, {**INTRINSICS, "k1": 0.1, "frames": [POSE]})
    (own,) = read(tmp_path, {**INTRINSICS, "w": 999, "fl_x": 1.0, "frames": [POSE | INTRINSICS]})
    for view in (common, own):
        camera = view.camera
        assert (view.name, camera.focal, camera.centre) == (VIEW.name, (70, 80), (33, 22))
        assert (camera.width, camera.height) == (64, 48)
        assert camera.position == pytest.approx(EYE)


def test_a_blender_scenes_file_has_an_angle_and_no_size(tmp_path: Path) -> None:
    camera = read_camera(tmp_path, camera_angle_x=0.6911112070083618)
    assert (camera.width, camera.height, camera.centre) == (800, 800, (400, 400))
    assert camera.focal == pytest.approx((1111.111, 1111.111), abs=1e-3)


def test_angles_are_of_the_size_that_is_there(tmp_path: Path) -> None:
    camera = read_camera(tmp_path, w=64.0, h=48.0, camera_angle_x=math.pi / 2, camera_angle_y=2 * math.atan(0.5))
    assert (camera.width, camera.height, camera.centre) == (64, 48, (32, 24))
    assert camera.focal == pytest.approx((32, 48))
    assert read_camera(tmp_path, w=64, h=48, fl_x=50, camera_angle_x=1.0).focal == (50, 50)


def test_a_frame_without_a_name_is_numbered(tmp_path: Path) -> None:
    frame = {"transform_matrix": POSE["transform_matrix"]}
    assert [view.name for view in read(tmp_path, {**INTRINSICS, "frames": [frame] * 2})] == ["camera0", "camera1"]


def test_the_scale_of_a_cameras_axes_changes_nothing(tmp_path: Path) -> None:
    matrix = opengl_pose(VIEW)
    matrix[:3, :3] *= 0.25
    scaled = {**POSE, "transform_matrix": matrix.tolist()}
    (view,) = read(tmp_path, {**INTRINSICS, "frames": [scaled]})
    assert view.camera.world_to_camera == pytest.approx(VIEW.camera.world_to_camera)


APPLIED = np.array([[1.0, 0, 0, 0.5], [0, 0, 1, -0.25], [0, -1, 0, 2]])
TURN = look_at(np.array([0.4, 0.3, -2.0]), np.array([0.0, 0.1, 0.2]), UP)[:3]
"""What nerfstudio writes the poses by, and what it trains by."""


def homogeneous(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([matrix, [[0, 0, 0, 1]]])


@pytest.mark.parametrize("form", ["transforms.json", "transforms.json without applied_transform", "COLMAP"])
def test_cameras_follow_the_scene_to_the_frame_it_was_trained_in(form: str, tmp_path: Path) -> None:
    """As nerfstudio's data parsers do: poses and points of the original data, moved by `applied` and `TURN`."""
    has_applied = form == "transforms.json"
    applied = homogeneous(APPLIED) if has_applied else np.eye(4)
    applied_scale, scale = 2.0 if has_applied else 1.0, 0.125
    saved = opengl_pose(VIEW)
    saved[:3] = applied[:3] @ saved
    trained = homogeneous(TURN) @ saved
    trained[:3, 3] *= scale
    path = tmp_path / "transforms.json"
    if form == "COLMAP":
        path = write_colmap(tmp_path, [VIEW])
    else:
        more = {"applied_transform": APPLIED.tolist(), "applied_scale": applied_scale} if has_applied else {}
        path.write_text(json.dumps({**INTRINSICS, **more, "frames": [{**POSE, "transform_matrix": saved.tolist()}]}))
    transform = (homogeneous(TURN) @ applied)[:3].tolist()
    frame = {"transform": transform, "scale": scale * applied_scale}
    path.with_name("dataparser_transforms.json").write_text(json.dumps(frame))
    (view,) = read_views(path)
    assert opengl_pose(view) == pytest.approx(trained)
    assert (view.camera.focal, view.camera.centre) == (VIEW.camera.focal, VIEW.camera.centre)
    path.with_name("dataparser_transforms.json").unlink()
    (view,) = read_views(path)
    assert opengl_pose(view) == pytest.approx(saved)


MIRRORED = {**POSE, "transform_matrix": np.diag([1.0, 1, -1, 1]).tolist()}
STRETCHED = {**POSE, "transform_matrix": np.diag([1.0, 2, 1, 1]).tolist()}

FAULTS: dict[str, tuple[Any, str]] = {
    "no frames": ({"frames": []}, "frames must be a list of at least one camera"),
    "frames of text": ({"frames": "text"}, "frames must be a list of at least one camera"),
    "no object": ({"frames": [3]}, "camera 0: must be a JSON object"),
    "no matrix": (INTRINSICS | {"frames": [{}]}, "transform_matrix must be 4 rows of 4 finite numbers"),
    "mirrored": (INTRINSICS | {"frames": [MIRRORED]}, "transform_matrix must rotate, without scale or mirror"),
    "stretched": (INTRINSICS | {"frames": [POSE, STRETCHED]}, "camera 1: transform_matrix must rotate"),
    "no camera": ({"frames": [POSE]}, "camera 0: fl_x must be a finite number"),
    "no width": (INTRINSICS | {"w": None, "frames": [POSE]}, "w must be an integer from 11 to 16384, got None"),
    "half a pixel": (INTRINSICS | {"h": 48.5, "frames": [POSE]}, "h must be an integer from 11 to 16384, got 48.5"),
    "pixels of nothing": ({"fl_x": 70, "frames": [POSE]}, "w must be an integer from 11 to 16384, got None"),
    "no focal length": (INTRINSICS | {"fl_x": 0, "frames": [POSE]}, "fl_x must be above 0"),
    "half a turn": ({"camera_angle_x": math.pi, "frames": [POSE]}, "camera_angle_x must be above 0 and below pi"),
    "NaN": ('{"camera_angle_x": NaN, "frames": [{"transform_matrix": 1}]}', "transform_matrix must be 4 rows"),
    "panorama": (
        INTRINSICS | {"camera_model": "EQUIRECTANGULAR", "frames": [POSE]},
        "camera 0: camera_model EQUIRECTANGULAR is no pinhole",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_file_is_refused(name: str, tmp_path: Path) -> None:
    document, words = FAULTS[name]
    with pytest.raises(BadInputError) as refusal:
        read(tmp_path, document)
    assert str(refusal.value).startswith(f"{tmp_path / 'transforms.json'}: ")
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[", "is not a JSON file"),
        ("[]", "must be a JSON object"),
        ('{"scale": 1}', "transform must be 3 rows of 4 finite numbers"),
        ('{"transform": [[2,0,0,0],[0,2,0,0],[0,0,2,0]], "scale": 1}', "transform must rotate"),
        ('{"transform": [[1,0,0,0],[0,1,0,0],[0,0,1,0]], "scale": 0}', "scale must be above 0"),
    ],
)
def test_a_wrong_frame_is_refused(content: str, words: str, tmp_path: Path) -> None:
    path = write_transforms(tmp_path / "transforms.json", [VIEW])
    path.with_name("dataparser_transforms.json").write_text(content)
    with pytest.raises(BadInputError) as refusal:
        read_views(path)
    assert str(refusal.value).startswith(f"{path}: dataparser_transforms.json beside it")
    assert words in str(refusal.value)


def test_the_frame_of_a_trained_scene_is_no_matter_to_its_trainers_list(tmp_path: Path) -> None:
    camera = {
        "world_to_camera": np.eye(4).tolist(),
        "K": [[9, 0, 32], [0, 9, 24], [0, 0, 1]],
        "width": 64,
        "height": 48,
    }
    (tmp_path / "cameras.json").write_text(json.dumps([camera]))
    (tmp_path / "dataparser_transforms.json").write_text("[")
    (view,) = read_views(tmp_path / "cameras.json")
    assert np.array_equal(view.camera.world_to_camera, np.eye(4))
