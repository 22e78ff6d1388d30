"""The benchmark of scenes that are fitted to pictures, and its comparison with photos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.__main__ import main
from benchmarks.scenes import Scene
from PIL import Image

from sogs_worker.evaluate import draw, orbit_views
from sogs_worker.formats import read_scene

NOISE = 8
"""Standard deviation of what a photo has that no picture shows, of 255."""


@pytest.fixture
def photographed(drawable_scene: Scene, tmp_path: Path) -> Path:
    """A scene with two cameras and photos from these: its own pictures, with noise."""
    folder = tmp_path / "scene"
    (folder / "photos").mkdir(parents=True)
    shutil.copy(drawable_scene.path, folder / "scene.ply")
    splats = read_scene(folder / "scene.ply")
    views, cameras = orbit_views(splats, 2), []
    noise = torch.Generator().manual_seed(0)
    for view, picture in zip(views, draw(splats, views, device="cpu"), strict=True):
        camera = view.camera
        (fx, fy), (cx, cy) = camera.focal, camera.centre
        cameras.append(
            {
                "name": f"{view.name}.png",
                "world_to_camera": camera.world_to_camera.tolist(),
                "K": [[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
                "width": camera.width,
                "height": camera.height,
            }
        )
        photo = picture + NOISE * torch.randn(picture.shape, generator=noise)
        Image.fromarray(photo.clamp(0, 255).round().numpy().astype(np.uint8)).save(
            folder / "photos" / f"{view.name}.png"
        )
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return folder / "scene.ply"


def test_each_variant_has_a_row_beside_the_scene_and_photos(
    photographed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["balanced", "balanced, 40 %", "compact"]
    assert main(["refine", str(photographed), "--variants", *names, "--work", str(tmp_path / "work")]) == 0
    output = capsys.readouterr().out
    header, _, *lines = [
        [cell.strip() for cell in each.split("|")[1:-1]] for each in output.splitlines() if "|" in each
    ]
    whole, balanced, fewer, compact = (dict(zip(header, line, strict=True)) for line in lines)
    photo = 20 * np.log10(255 / NOISE)
    assert photo < float(whole["photo dB"]) < photo + 4  # what is black stays so, and has half of the noise
    assert float(whole["photo dB"]) >= float(balanced["photo dB"]) > float(fewer["photo dB"])
    assert float(balanced["dB mean"]) > float(fewer["dB mean"])
    assert (whole["splats"], fewer["splats"]) == ("600", "240")
    if not torch.cuda.is_available():
        assert (compact["splats"], "needs an NVIDIA GPU" in output) == ("0", True)
    assert list((tmp_path / "work").iterdir()) == []
