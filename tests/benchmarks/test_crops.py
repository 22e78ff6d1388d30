"""The benchmark's pictures for a person to look at."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.__main__ import main
from benchmarks.crops import LABEL, SIDE, Part, compose, moved
from benchmarks.scenes import Scene
from PIL import Image

from sogs_worker.evaluate import orbit_views
from sogs_worker.formats import read_scene


@pytest.fixture
def alone(drawable_scene: Scene, tmp_path: Path) -> str:
    """The path of a scene without cameras, which has pictures of 640 x 640 pixels."""
    shutil.copy(drawable_scene.path, tmp_path / "alone.ply")
    return str(tmp_path / "alone.ply")


def test_parts_of_a_scene_and_its_bundles_are_side_by_side(alone: str, tmp_path: Path) -> None:
    out, work = tmp_path / "pictures" / "crops.png", tmp_path / "work"
    names = ["balanced", "balanced, 40 %"]
    assert main(["crops", alone, "--variants", *names, "--out", str(out), "--work", str(work)]) == 0
    sheet = np.asarray(Image.open(out)).astype(float)
    assert sheet.shape == (LABEL + 4 * (SIDE + LABEL), 3 * SIDE, 3)
    rows = [sheet[LABEL + row * (SIDE + LABEL) :][:SIDE] for row in range(4)]
    assert all(row[:, :SIDE].std() > 1 for row in rows)
    balanced, fewer = (
        [np.square(row[:, column * SIDE :][:, :SIDE] - row[:, :SIDE]).mean() for row in rows] for column in (1, 2)
    )
    assert balanced[1] < fewer[1]
    assert fewer[0] <= fewer[1], "the second row is where the last one differs most"
    assert list(work.iterdir()) == []


def test_pictures_that_are_too_small_are_refused(
    drawable_scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crops", str(drawable_scene.path), "--variants", "balanced", "--work", str(tmp_path)]) == 1
    assert "cameras.json: has pictures of less than 240 pixels" in capsys.readouterr().err


def test_a_bundle_that_cannot_be_made_is_said(alone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["crops", alone, "--variants", "balanced", "--work", str(tmp_path)]
    assert main([*arguments, "--worker", "false", "--out", str(tmp_path / "none.png")]) == 1
    assert "balanced: exit code 1" in capsys.readouterr().err


def test_a_camera_is_moved_along_its_line_of_sight(drawable_scene: Scene) -> None:
    camera, centre = orbit_views(read_scene(drawable_scene.path), 1)[0].camera, np.array([1.0, 2.0, 3.0])
    far = moved(camera, centre, 3.0)
    assert far.position - centre == pytest.approx(3 * (camera.position - centre))
    seen = far.world_to_camera @ np.append(centre, 1)
    assert seen[:2] == pytest.approx([0, 0], abs=1e-9)
    assert seen[2] > 0


def test_parts_are_cut_where_they_are() -> None:
    picture = torch.arange(300 * 400 * 3).reshape(300, 400, 3).to(torch.uint8)
    sheet = np.asarray(compose({"one": [picture], "two": [picture // 2]}, [Part("here", 0, 16, 32)]))
    assert (sheet[LABEL : LABEL + SIDE, :SIDE] == picture[16 : 16 + SIDE, 32 : 32 + SIDE].numpy()).all()
    assert (sheet[LABEL : LABEL + SIDE, SIDE:] == (picture // 2)[16 : 16 + SIDE, 32 : 32 + SIDE].numpy()).all()
