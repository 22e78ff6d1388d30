"""Scenes against scenes: what is the same, what is worse, and the same figures as an independent renderer's."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scenes import DATA, real_scene
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate import (
    Comparison,
    View,
    ViewScore,
    compare,
    draw,
    evaluate_files,
    format_evaluation,
    orbit_views,
)
from sogs_worker.formats.ply.file import read_ply, write_ply
from sogs_worker.render.camera import Camera, look_at
from sogs_worker.splats import Model, Splats
from splat_builders import build_splats, replace

RENDER_CHECK = DATA.parent / "tools" / "render-check" / "evaluate.py"


def disturb(splats: Splats, amount: float) -> Splats:
    """The same scene with other colours and sizes."""
    rng = np.random.default_rng(7)

    def shifted(values: np.ndarray) -> np.ndarray:
        return (values + amount * rng.standard_normal(values.shape)).astype(np.float32)

    return replace(splats, sh0=shifted(splats.sh0), scales=shifted(splats.scales), shn=shifted(splats.shn))


def judge(reference: Splats, other: Splats, views: list[View]) -> Comparison:
    return compare(views, draw(reference, views, device="cpu"), draw(other, views, device="cpu"))


def small_views(splats: Splats, count: int = 2) -> list[View]:
    """Orbit views of 80 x 80 pixels."""
    return [
        View(view.name, Camera(view.camera.world_to_camera, (85, 85), (40, 40), 80, 80))
        for view in orbit_views(splats, count)
    ]


@pytest.fixture
def splats() -> Splats:
    scene = build_splats(400, bands=1)
    return replace(scene, scales=scene.scales + np.float32(2.5))


def test_the_same_scene_in_another_order_is_identical(splats: Splats) -> None:
    comparison = judge(splats, splats.take(np.arange(400)[::-1]), small_views(splats))
    assert comparison.identical_views == 2
    assert (comparison.psnr, comparison.ssim) == (math.inf, 1)


def test_more_disturbance_scores_lower(splats: Splats) -> None:
    views = small_views(splats)
    scores = [judge(splats, disturb(splats, amount), views) for amount in (0.01, 0.05, 0.3)]
    for measure in ("psnr", "ssim"):
        values = [getattr(score, measure) for score in scores]
        assert values == sorted(values, reverse=True)
    assert scores[0].psnr > 40 > 30 > scores[2].psnr > 10


def test_scenes_of_other_sizes_and_bands_compare(splats: Splats) -> None:
    fewer = splats.take(np.arange(399)).with_sh_bands(0)
    comparison = judge(splats, fewer, small_views(splats))
    assert 15 < comparison.psnr < 60


def test_means_and_worst_view() -> None:
    comparison = Comparison((ViewScore("a", 40.0, 0.9), ViewScore("b", 30.0, 0.8), ViewScore("c", math.inf, 1.0)))
    assert comparison.psnr == 35
    assert comparison.worst.name == "b"
    assert comparison.ssim == pytest.approx(0.9)
    assert comparison.identical_views == 1


def test_views_that_show_nothing_are_refused_unless_others_do(splats: Splats, tmp_path: Path) -> None:
    scene, other = tmp_path / "a.ply", tmp_path / "b.ply"
    write_ply(scene, splats)
    write_ply(other, disturb(splats, 0.1))
    away = Camera(look_at(np.array([0, 0, -90.0]), np.array([0, 0, -99.0])), (85, 85), (40, 40), 80, 80)
    cameras = [View("away", away), *small_views(splats)]
    (tmp_path / "cameras.json").write_text(json.dumps([describe_camera(view) for view in cameras]))
    with pytest.raises(BadInputError, match=r"a\.ply: every view of it is black"):
        evaluate_files(scene, other, cameras=tmp_path / "cameras.json", count=1, device="cpu")
    evaluation = evaluate_files(scene, other, cameras=tmp_path / "cameras.json", count=None, device="cpu")
    assert (evaluation["identicalViews"], evaluation["views"][0]["name"]) == (1, "away")


def describe_camera(view: View) -> dict[str, object]:
    """Write a view down as files of cameras have it."""
    camera = view.camera
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    intrinsics = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    matrix = np.asarray(camera.world_to_camera).tolist()
    return {"name": view.name, "world_to_camera": matrix, "K": intrinsics, "width": 80, "height": 80}


def test_files_with_unusable_splats_compare(splats: Splats, tmp_path: Path) -> None:
    reference, other = tmp_path / "a.ply", tmp_path / "b.ply"
    write_ply(reference, splats)
    positions, rotations = splats.positions.copy(), splats.rotations.copy()
    positions[:3], positions[3], rotations[4] = np.nan, np.inf, 0
    write_ply(other, replace(splats, positions=positions, rotations=rotations))
    evaluation = evaluate_files(reference, other, cameras=None, count=1, device="cpu")
    assert evaluation["other"] == {"file": str(other), "model": "default", "splats": 396, "dropped": 4}
    assert 10 < evaluation["psnr"] < 60
    assert format_evaluation(evaluation).endswith(f"4 unusable splats of {other} not drawn")


def test_each_scene_is_drawn_by_its_own_model(tmp_path: Path) -> None:
    splats = build_splats(400, bands=0)
    splats = dataclasses.replace(splats, scales=splats.scales - np.float32(1), model=Model.ANTIALIASED)
    reference, same, lost = (tmp_path / name for name in ("a.ply", "same.ply", "lost.ply"))
    write_ply(reference, splats)
    write_ply(same, splats)
    write_ply(lost, dataclasses.replace(splats, model=Model.DEFAULT))
    assert evaluate_files(reference, same, cameras=None, count=1, device="cpu")["identical"]
    evaluation = evaluate_files(reference, lost, cameras=None, count=1, device="cpu")
    assert evaluation["psnr"] < 45
    assert [evaluation[name]["model"] for name in ("reference", "other")] == ["antialiased", "default"]
    assert format_evaluation(evaluation).endswith("drawn as default, the reference as antialiased")


@pytest.mark.skipif(not RENDER_CHECK.exists(), reason=f"{RENDER_CHECK} is not there")
@pytest.mark.skipif(shutil.which("g++") is None, reason="the independent renderer needs g++")
def test_agrees_with_an_independent_renderer(tmp_path: Path) -> None:
    scene = real_scene("leica_sofort_top8192.ply")
    other = tmp_path / "other.ply"
    write_ply(other, disturb(read_ply(scene), 0.03))
    command = [sys.executable, RENDER_CHECK, "--views", "2", scene, f"other={other}"]
    expected = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    got = evaluate_files(scene, other, cameras=None, count=2, device="cpu")
    assert 20 < expected["psnr_mean"] < 50
    assert got["psnr"] == pytest.approx(expected["psnr_mean"], abs=0.1)
    assert got["psnrWorst"] == pytest.approx(expected["psnr_worst"], abs=0.1)
