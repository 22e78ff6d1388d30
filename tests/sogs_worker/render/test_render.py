"""The renderer draws what the formula says: against a per-pixel loop in double precision, written apart from it."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from sogs_worker.render import Camera, orbit_camera, preview_png, render
from sogs_worker.render.camera import look_at
from sogs_worker.splats import SH_COEFFICIENTS, Splats


def random_scene(count: int, bands: int, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)

    def draw(*shape: int, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
        return (rng.normal(size=shape) * scale + shift).astype(np.float32)

    return Splats(
        positions=draw(count, 3),
        rotations=draw(count, 4),
        scales=draw(count, 3, scale=0.7, shift=-1.5),
        opacities=draw(count, scale=2.0),
        sh0=draw(count, 3),
        shn=draw(count, SH_COEFFICIENTS[bands], 3, scale=0.2),
    )


def camera(width: int = 48, height: int = 33) -> Camera:
    eye, target = np.array([0.5, -1.0, -4.0]), np.array([0.1, 0.0, 0.2])
    return Camera(look_at(eye, target), (40.0, 42.0), (width / 2 + 1, height / 2), width, height)


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


def colour_of(splats: Splats, row: int, ray: np.ndarray) -> np.ndarray:
    x, y, z = ray / np.linalg.norm(ray)
    k = math.sqrt(1 / math.pi) / 2
    terms = [
        -math.sqrt(3) * y, math.sqrt(3) * z, -math.sqrt(3) * x,
        math.sqrt(15) * x * y, -math.sqrt(15) * y * z, math.sqrt(5) / 2 * (3 * z * z - 1),
        -math.sqrt(15) * x * z, math.sqrt(15) / 2 * (x * x - y * y),
        -math.sqrt(35 / 8) * y * (3 * x * x - y * y), math.sqrt(105) * x * y * z,
        -math.sqrt(21 / 8) * y * (5 * z * z - 1), math.sqrt(7) / 2 * z * (5 * z * z - 3),
        -math.sqrt(21 / 8) * x * (5 * z * z - 1), math.sqrt(105) / 2 * z * (x * x - y * y),
        -math.sqrt(35 / 8) * x * (x * x - 3 * y * y),
    ]  # fmt: skip
    shn = splats.shn[row].astype(float)
    return np.maximum(0.5 + k * splats.sh0[row] + sum(k * t * c for t, c in zip(terms, shn, strict=False)), 0)


def reference(splats: Splats, view: Camera) -> np.ndarray:
    """Every splat on every pixel, in float64."""
    rotation, shift = view.world_to_camera[:3, :3], view.world_to_camera[:3, 3]
    local = splats.positions.astype(float) @ rotation.T + shift
    y, x = np.mgrid[: view.height, : view.width] + 0.5
    colour, light = np.zeros((view.height, view.width, 3)), np.ones((view.height, view.width))
    for row in np.argsort(local[:, 2], kind="stable"):
        px, py, depth = local[row]
        if depth <= 0.01:
            continue
        limit = 1.3 * np.array([view.width, view.height]) / 2 / view.focal
        sx, sy = np.clip([px / depth, py / depth], -limit, limit)
        fx, fy = view.focal
        jacobian = np.array([[fx / depth, 0, -fx * sx / depth], [0, fy / depth, -fy * sy / depth]])
        spread = rotation @ matrix_of(splats.rotations[row].astype(float)) * np.exp(splats.scales[row].astype(float))
        covariance = jacobian @ spread @ spread.T @ jacobian.T + 0.3 * np.eye(2)
        (a, b), (_, c) = np.linalg.inv(covariance)
        dx, dy = x - (fx * px / depth + view.centre[0]), y - (fy * py / depth + view.centre[1])
        alpha = np.exp(-(a * dx * dx + 2 * b * dx * dy + c * dy * dy) / 2) / (1 + math.exp(-splats.opacities[row]))
        alpha = np.where(alpha < 1 / 255, 0, np.minimum(alpha, 0.999))
        colour += (light * alpha)[..., None] * colour_of(splats, row, splats.positions[row] - view.position)
        light *= 1 - alpha
    return np.clip(colour, 0, 1) * 255


@pytest.mark.parametrize("bands", [0, 1, 2, 3])
def test_agrees_with_a_pixel_by_pixel_reference(bands: int) -> None:
    splats = random_scene(150, bands)
    difference = np.abs(render(splats, camera()).astype(float) - reference(splats, camera()))
    # One grey level for rounding, a little more where alpha stands on the edge of 1/255.
    assert difference.mean() < 0.3
    assert difference.max() < 3


def test_more_ellipses_than_a_chunk_blend_in_depth_order() -> None:
    splats = random_scene(700, 0, seed=3)
    difference = np.abs(render(splats, camera(17, 18)).astype(float) - reference(splats, camera(17, 18)))
    assert difference.max() < 3


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    splats = random_scene(50, 1)
    behind = Splats(**{**vars(splats), "positions": splats.positions - np.float32([0, 0, 100])})
    assert render(behind, camera()).max() == 0


def test_orbit_camera_ignores_faint_floaters() -> None:
    splats = random_scene(500, 0)
    positions, opacities = splats.positions.copy(), splats.opacities.copy()
    positions[:20], opacities[:20] = 1e5, -8
    with_floaters = Splats(**{**vars(splats), "positions": positions, "opacities": opacities})
    distance = np.linalg.norm(orbit_camera(with_floaters, width=64, height=48).position)
    assert distance < 20


def test_preview_is_a_png_that_shows_something() -> None:
    picture = Image.open(io.BytesIO(preview_png(random_scene(300, 3))))
    assert (picture.format, picture.size) == ("PNG", (800, 600))
    assert np.asarray(picture).std() > 10
