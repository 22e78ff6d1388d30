"""Where the command `render` draws from, and what is behind the scene."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sogs_worker.cli.main import main
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.splats import Splats
from splat_builders import build_splats

CAMERA: dict[str, Any] = {
    "world_to_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 12], [0, 0, 0, 1]],
    **{"K": [[60, 0, 32], [0, 60, 24], [0, 0, 1]], "width": 64, "height": 48, "name": "front.jpg"},
}
THEIRS: dict[str, Any] = {
    **{"id": 0, "img_name": "front", "width": 64, "height": 48, "fx": 60, "fy": 60},
    **{"position": [0, 0, -12], "rotation": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]},
}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_ply(tmp_path / "scene.ply", build_splats(300, bands=1))
    away = {**CAMERA, "name": "away", "world_to_camera": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, -90], [0, 0, 0, 1]]}
    (tmp_path / "cameras.json").write_text(json.dumps([CAMERA, away]))
    (tmp_path / "theirs.json").write_text(json.dumps([THEIRS]))
    return tmp_path


def draw(*options: str) -> np.ndarray:
    assert main(["render", "-w", "--device", "cpu", *options, "scene.ply", "out.png"]) == 0
    return np.asarray(Image.open("out.png")).astype(int)


@pytest.mark.usefixtures("scene")
def test_it_draws_from_a_camera_of_a_file() -> None:
    ours = draw("--cameras", "cameras.json")
    assert ours.shape == (48, 64, 3)
    assert ours.std() > 10
    for options in (["--camera", "front.jpg"], ["--camera", "0"]):
        assert np.array_equal(draw("--cameras", "cameras.json", *options), ours)
    assert np.abs(draw("--cameras", "theirs.json") - ours).max() <= 1
    for name in ("away", "1"):
        assert not draw("--cameras", "cameras.json", "--camera", name).any()


@pytest.mark.usefixtures("scene")
def test_a_place_is_as_a_camera_of_a_file() -> None:
    """Its focal length is that of 50 degrees."""
    field = 24 / np.tan(np.radians(25))
    Path("same.json").write_text(json.dumps([{**CAMERA, "K": [[field, 0, 32], [0, field, 24], [0, 0, 1]]}]))
    expected = draw("--cameras", "same.json")
    place = ["--position", "0,0,-12", "--look-at", "-0,0,0", "--size", "64x48"]
    assert np.abs(draw(*place) - expected).max() <= 1
    assert np.abs(draw(*place, "--up", "0,1,0") - expected[::-1, ::-1]).max() <= 2
    there = draw("--position", "-0.5,-3,-12", "--look-at", "0,0,0")
    assert there.shape == (600, 800, 3)


@pytest.mark.usefixtures("scene")
def test_another_size_shows_all_of_a_cameras_picture() -> None:
    small, large = draw("--cameras", "cameras.json"), draw("--cameras", "cameras.json", "--size", "200x96")
    assert large.shape == (96, 200, 3)
    middle = large[:, 36:164].reshape(48, 2, 64, 2, 3).mean(axis=(1, 3))
    assert np.corrcoef(middle.ravel(), small.ravel())[0, 1] > 0.9
    assert draw("--size", "120x160").shape == (160, 120, 3)


@pytest.mark.usefixtures("scene")
def test_the_background_is_behind_the_scene() -> None:
    black, white = draw("--cameras", "cameras.json"), draw("--cameras", "cameras.json", "--background", "white")
    assert white[0, 0].tolist() == [255, 255, 255]
    shown = (white - black)[(white < 255).all(axis=2)]
    assert len(shown) > 100
    assert np.ptp(shown, axis=1).max() <= 2, "as much of it is seen in each colour"
    assert (white >= black).all()
    away = ("--cameras", "cameras.json", "--camera", "away")
    assert draw(*away, "--background", "#102030")[5, 5].tolist() == [16, 32, 48]


@pytest.mark.usefixtures("scene")
def test_cameras_are_of_the_world_wherever_the_scene_is_counted_from() -> None:
    expected = draw("--cameras", "cameras.json")
    splats = build_splats(300, bands=1)
    write_ply(Path("scene.ply"), Splats(**{**vars(splats), "origin": (1e6, -5e5, 2e5)}))
    moved = {**CAMERA, "world_to_camera": [[1, 0, 0, -1e6], [0, 1, 0, 5e5], [0, 0, 1, 12 - 2e5], [0, 0, 0, 1]]}
    Path("moved.json").write_text(json.dumps([moved]))
    got = draw("--cameras", "moved.json")
    assert np.abs(got - expected).mean() < 1
    place = ["--look-at", "1000000,-500000,200000", "--position", "1000000,-500000,199988"]
    assert draw(*place).std() > 3


REFUSALS = {
    "camera of nothing": (["--camera", "a"], 64, "--camera names one of the cameras of a file"),
    "no such camera": (["--cameras", "cameras.json", "--camera", "b"], 64, "cameras.json: there is no camera 'b'"),
    "no such number": (["--cameras", "cameras.json", "--camera", "2"], 64, "a number from 0 to 1"),
    "no cameras": (["--cameras", "none.json"], 66, "none.json: no such file"),
    "no list": (["--cameras", "scene.ply"], 65, "scene.ply: not a JSON file"),
    "both": (["--cameras", "cameras.json", "--up", "0,0,1"], 64, "leave --position, --look-at and --up out"),
    "half a place": (["--position", "0,0,0"], 64, "name both or none"),
    "one point": (["--position", "1,2,3", "--look-at", "1,2,3"], 64, "are one point"),
    "no direction": (["--up", "0,0,0"], 64, "--up 0,0,0 is no direction"),
    "two numbers": (["--position", "-1,2"], 64, "'-1,2' is no point; name three numbers"),
    "infinite": (["--position", "1,2,inf"], 64, "is no point"),
    "size": (["--size", "800"], 64, "'800' is no size"),
    "no size": (["--size", "0x20"], 64, "is no size"),
    "immense": (["--size", "9000x20"], 64, "is no size"),
    "colour": (["--background", "ultra"], 64, "--background ultra is no opaque colour"),
    "transparent": (["--background", "#11223344"], 64, "is no opaque colour"),
}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.usefixtures("scene")
def test_what_makes_no_picture_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, expected, words = REFUSALS[name]
    assert main(["render", "--device", "cpu", *options, "scene.ply", "out.png"]) == expected
    output, errors = capsys.readouterr()
    assert output == ""
    assert words in errors
    assert len(errors.splitlines()) == 1
    assert not Path("out.png").exists()
