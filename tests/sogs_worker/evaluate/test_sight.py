"""Cameras that see a scene, and those of another place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenes import real_scene
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate import View, check_sight, read_views, standard_views
from sogs_worker.evaluate.sight import central_positions, sees
from sogs_worker.formats.ply.file import read_ply
from sogs_worker.render.camera import Camera, look_at
from splat_builders import build_splats
from splat_builders import replace as replace_arrays

GRID = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3), axis=-1).reshape(-1, 3)
"""A cube of 2 to 2 to 2."""
FAR = np.array([0.0, 0.0, -1e6])


def camera(eye: tuple[float, float, float], target: tuple[float, float, float], focal: float = 50) -> Camera:
    return Camera(look_at(np.array(eye), np.array(target)), (focal, focal), (50, 50), 100, 100)


@pytest.mark.parametrize(
    ("eye", "target", "focal", "expected"),
    [
        ((0, 0, -4), (0, 0, 0), 50, True),
        ((0, 0, 0), (0, 0.1, 1), 50, True),
        ((0, 0, 0), (0, 0.1, 1), 200, True),
        ((0, 0, -4), (0, 0, -9), 50, False),
        ((0, 0, -4), (9, 0, -4), 50, False),
        ((0, 0, -4), (3, 0, 0), 200, False),
        ((0, 0, -40), (0, 0, 0), 50, False),
        ((0, 0, -40), (0, 0, 0), 500, True),
    ],
    ids=["around", "within", "within, narrow", "away", "aside", "past it", "far", "far, narrow"],
)
def test_a_camera_sees_what_its_picture_shows(
    eye: tuple[float, float, float], target: tuple[float, float, float], focal: float, expected: bool
) -> None:
    assert sees(GRID, camera(eye, target, focal)) is expected


def test_a_few_stray_splats_are_no_scene() -> None:
    many = np.concatenate([np.repeat(GRID, 10, axis=0), [[-20, 0, 0], [-21, 8, 0]]])
    assert not sees(many, camera((0, 0, -9), (-20, 4, 0)))


def test_half_of_the_cameras_must_see_the_scene() -> None:
    splats = build_splats(300, bands=0)
    seeing, blind = standard_views(splats)[0], View("away", Camera(np.eye(4), (50, 50), (50, 50), 100, 100))
    blind.camera.world_to_camera[:3, 3] = FAR
    check_sight(splats, [seeing])
    check_sight(splats, [seeing, blind])
    with pytest.raises(BadInputError, match="only 1 of 3 cameras see the scene"):
        check_sight(splats, [seeing, blind, blind])


def test_cameras_are_of_the_world_wherever_the_scene_is_counted_from() -> None:
    splats = build_splats(300, bands=0)
    views = standard_views(splats)
    origin = (1000.0, -2000.0, 3000.0)
    away = replace(splats, origin=origin)
    with pytest.raises(BadInputError, match="only 0 of"):
        check_sight(away, views)
    there = tuple(-each for each in origin)
    check_sight(away, [View(view.name, view.camera.counted_from(there)) for view in views])


def test_floaters_are_not_looked_for() -> None:
    splats = build_splats(1000, bands=0)
    positions = splats.positions.copy()
    positions[:20] *= 1e4
    central = central_positions(replace_arrays(splats, positions=positions))
    assert len(central) > 600
    assert np.abs(central).max() < 10


@pytest.mark.parametrize("count", [1, 2])
def test_a_scene_of_no_extent_has_splats(count: int) -> None:
    splats = build_splats(count, bands=0)
    assert len(central_positions(splats)) >= 1


def test_places_without_number_are_not_seen() -> None:
    away = Camera(np.eye(4), (1e308, 1e308), (50, 50), 100, 100)
    away.world_to_camera[:3, 3] = 1e308
    assert not sees(GRID, away)


def test_a_real_scenes_cameras_see_it_and_those_of_a_larger_world_do_not() -> None:
    splats, views = read_ply(real_scene("snowmiku/scene.ply")), read_views(real_scene("snowmiku/cameras.json"))
    check_sight(splats, views)
    for view in views:
        view.camera.world_to_camera[:3, 3] *= 8
    with pytest.raises(BadInputError, match="cameras see the scene"):
        check_sight(splats, views)
