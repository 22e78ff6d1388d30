"""Rooms are judged from within: where the place to stand is, and that the gate sees what visitors see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rooms import scene_of, shell
from sogs_worker.evaluate import View, compare, draw, standard_views
from sogs_worker.render.camera import Camera
from sogs_worker.render.interior import Interior, find_interior
from sogs_worker.render.scene import load_scene
from sogs_worker.splats import Splats
from splat_builders import replace

WALLS = 12_000


def rotation(seed: int) -> NDArray[np.float64]:
    """Any rotation."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    return basis * np.sign(np.linalg.det(basis))


def interior_of(splats: Splats) -> Interior | None:
    low, high = np.percentile(splats.positions.astype(np.float64), (5, 95), axis=0)
    return find_interior(load_scene(splats, "cpu"), low, high)


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.tuples(*[st.floats(1, 2)] * 3),
    scale=st.sampled_from([0.01, 1.0, 300.0]),
    turn=st.integers(0, 100),
    sides=st.sampled_from([5, 6]),
    floaters=st.sampled_from([0, 30]),
)
def test_the_place_is_in_the_room_and_away_from_its_walls(
    lengths: tuple[float, float, float], scale: float, turn: int, sides: int, floaters: int
) -> None:
    size = scale * np.array(lengths)
    rng = np.random.default_rng(turn)
    points = [shell(WALLS, size, sides=sides, seed=turn), rng.uniform(-0.4, 0.4, (floaters, 3)) * size]
    turned = rotation(turn)
    shift = 3 * scale * rng.standard_normal(3)
    interior = interior_of(scene_of(np.concatenate(points) @ turned.T + shift, 0.01 * scale))
    assert interior is not None
    assert (np.abs((interior.middle - shift) @ turned) < 0.4 * size).all()
    assert (np.abs((interior.places - shift) @ turned) < 0.5 * size).all()
    assert interior.middle.tolist() in interior.places.tolist()


@pytest.mark.parametrize("kind", ["cloud", "ball", "floor", "point", "two walls"])
def test_what_surrounds_nothing_has_no_place(kind: str) -> None:
    points = np.random.default_rng(0).standard_normal((WALLS, 3))
    if kind == "ball":
        points *= np.cbrt(np.random.default_rng(1).uniform(0, 1, (WALLS, 1))) / np.linalg.norm(points, axis=1)[:, None]
    elif kind == "floor":
        points[:, 1] = 0.001 * points[:, 1]
    elif kind == "point":
        points[:] = 0
    elif kind == "two walls":
        points[:, 0] = np.sign(points[:, 0])
    assert interior_of(scene_of(points, 0.01)) is None


def test_a_change_that_only_visitors_see_is_measured() -> None:
    """The paper on a room's walls: from outside, where the bricks hide it, no view shows it."""
    size = np.array([4.0, 3.0, 5.0])
    scene = scene_of(np.concatenate([shell(6000, 1.3 * size), shell(2000, size)]), 0.2)
    colours = scene.sh0.copy()
    colours[6000:] *= -1
    views = [View(view.name, shrunk(view.camera)) for view in standard_views(scene)]
    scores = compare(views, *(draw(each, views, device="cpu") for each in (scene, replace(scene, sh0=colours)))).views
    assert [score.name for score in scores[6:]] == ["inside0", "inside1", "inside2", "inside3"]
    assert min(score.psnr for score in scores[:6]) > 40
    assert max(score.psnr for score in scores[6:]) < 20


def shrunk(camera: Camera) -> Camera:
    """The same camera with pictures of 32 x 32 pixels."""
    focal = 16 * camera.focal[0] / camera.centre[0]
    return Camera(camera.world_to_camera, (focal, focal), (16, 16), 32, 32)
