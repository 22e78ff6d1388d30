"""The renderer draws what the formula says: against a per-pixel loop in double precision, written apart from it."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from devices import needs_gpu
from drawn_scenes import camera, random_scene
from sogs_worker.render import Camera, load_scene, orbit_camera, preview_png, render
from sogs_worker.render import tiles as tiles_module
from sogs_worker.render.blend import Batch
from sogs_worker.render.picture import draw_with_torch
from sogs_worker.render.project import project
from sogs_worker.render.tiles import TILE, assign_tiles
from sogs_worker.splats import Model, Splats

DEVICES = ["cpu", pytest.param("cuda", marks=needs_gpu)]


def draw(splats: Splats, view: Camera, *, device: str = "cpu") -> np.ndarray:
    """Draw on a device, as float64 for differences."""
    picture = render(load_scene(splats, device), view)
    assert (picture.device.type, picture.dtype) == (device, torch.uint8)
    return picture.cpu().numpy().astype(float)


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
    """Every splat on every pixel, in float64, by the scene's model."""
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
        sharp = jacobian @ spread @ spread.T @ jacobian.T
        covariance = sharp + 0.3 * np.eye(2)
        opacity = 1 / (1 + math.exp(-splats.opacities[row]))
        if splats.model is Model.ANTIALIASED:
            opacity *= math.sqrt(max(np.linalg.det(sharp) / np.linalg.det(covariance), 0))
        (a, b), (_, c) = np.linalg.inv(covariance)
        dx, dy = x - (fx * px / depth + view.centre[0]), y - (fy * py / depth + view.centre[1])
        alpha = opacity * np.exp(-(a * dx * dx + 2 * b * dx * dy + c * dy * dy) / 2)
        alpha = np.where(alpha < 1 / 255, 0, np.minimum(alpha, 0.999))
        colour += (light * alpha)[..., None] * colour_of(splats, row, splats.positions[row] - view.position)
        light *= 1 - alpha
    return np.clip(colour, 0, 1) * 255


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("bands", [0, 1, 2, 3])
def test_agrees_with_a_pixel_by_pixel_reference(bands: int, device: str) -> None:
    splats = random_scene(150, bands)
    difference = np.abs(draw(splats, camera(), device=device) - reference(splats, camera()))
    # One grey level for rounding, a little more where alpha stands on the edge of 1/255.
    assert difference.mean() < 0.3
    assert difference.max() < 3


def small(splats: Splats, model: Model) -> Splats:
    """Splats of about a pixel and less, some flat, of which the blur is most."""
    scales = splats.scales - np.float32(2)
    scales[::3, 2] = -30
    return replace(splats, scales=scales, opacities=np.abs(splats.opacities) + 2, model=model)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("model", Model)
def test_a_scene_is_drawn_by_its_model(model: Model, device: str) -> None:
    splats = small(random_scene(400, 1, seed=8), model)
    got, want = draw(splats, camera(), device=device), reference(splats, camera())
    assert np.abs(got - want).max() < 3
    ordinary = reference(replace(splats, model=Model.DEFAULT), camera())
    assert (np.abs(want - ordinary).mean() > 5) == (model is Model.ANTIALIASED)


@given(st.floats(-20, 10), st.floats(-20, 10), st.floats(-20, 10), st.integers(0, 9))
def test_antialiasing_only_ever_makes_a_splat_fainter(a: float, b: float, c: float, seed: int) -> None:
    splats = replace(random_scene(1, 0, seed), positions=np.zeros((1, 3), np.float32), scales=np.float32([[a, b, c]]))
    plain, faint = (
        project(load_scene(replace(splats, model=model), "cpu"), camera()).alphas.tolist()
        for model in (Model.DEFAULT, Model.ANTIALIASED)
    )
    assert len(faint) <= len(plain) <= 1, "nothing is drawn that has no alpha to be seen"
    assert all(1 / 255 <= alpha <= ordinary * (1 + 1e-5) for alpha, ordinary in zip(faint, plain, strict=False))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("batch", [Batch(1, 16), Batch(2, 7), Batch(3, 512), Batch(1024, 64)])
def test_batches_do_not_change_the_picture(batch: Batch, device: str) -> None:
    splats, view = random_scene(700, 0, seed=3), camera(52, 37)
    expected = reference(splats, view)
    assert expected.std() > 20
    colours, _ = draw_with_torch(load_scene(splats, device), view, batch)
    assert np.abs(colours.clamp(0, 1).cpu().numpy() * 255 - expected).max() < 3


def test_drawing_twice_gives_the_same_bytes() -> None:
    splats = random_scene(700, 3, seed=5)
    assert np.array_equal(draw(splats, camera()), draw(splats, camera()))


def test_many_opaque_splats_finish_a_tile_early() -> None:
    splats = random_scene(3000, 0, seed=4)
    opaque = Splats(**{**vars(splats), "opacities": np.full(3000, np.inf, np.float32)})
    assert np.abs(draw(opaque, camera()) - reference(opaque, camera())).max() < 3


def slanted_scene(count: int) -> Splats:
    """Long thin splats, and as many that are smaller than a pixel."""
    splats = random_scene(2 * count, 0, seed=6)
    scales = splats.scales + np.float32([1, -2, -3])
    scales[count:] = -6
    return Splats(**{**vars(splats), "scales": scales})


@pytest.mark.parametrize("pairs_at_once", [1, 50, 1 << 22])
def test_a_tile_lists_the_ellipses_that_reach_its_pixels(pairs_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles_module, "PAIRS_AT_ONCE", pairs_at_once)
    view = camera(90, 70)
    ellipses = project(load_scene(slanted_scene(60), "cpu"), view)
    tiles = assign_tiles(ellipses, width=view.width, height=view.height)
    y, x = np.mgrid[: tiles.rows * TILE, : tiles.columns * TILE] + 0.5
    listed = needed = 0
    for tile in range(tiles.rows * tiles.columns):
        members = tiles.members[tiles.starts[tile] : tiles.starts[tile + 1]].tolist()
        assert members == sorted(set(members))
        top, left = tile // tiles.columns * TILE, tile % tiles.columns * TILE
        box = (slice(top, top + TILE), slice(left, left + TILE))
        reached = [i for i in range(len(ellipses.means)) if reaches(ellipses, i, x[box], y[box])]
        assert set(reached) <= set(members)
        listed, needed = listed + len(members), needed + len(reached)
    # Between pixel centres an ellipse may reach a tile of which it shows nothing; the boxes alone list twice as many.
    assert 100 < needed <= listed < 1.2 * needed


def reaches(ellipses: object, index: int, x: np.ndarray, y: np.ndarray) -> bool:
    """Whether an ellipse shows on any of the pixels."""
    (u, v), (a, b, c), peak = (getattr(ellipses, name)[index].double() for name in ("means", "conics", "alphas"))
    dx, dy = x - float(u), y - float(v)
    alpha = float(peak) * np.exp(-(float(a) * dx * dx + 2 * float(b) * dx * dy + float(c) * dy * dy) / 2)
    return bool((alpha >= 1.0001 / 255).any())


@pytest.mark.parametrize("log_scale", [10.0, 25.0])
def test_an_immense_splat_covers_the_picture(log_scale: float) -> None:
    splats = random_scene(1, 0)
    positions, scales = np.zeros((1, 3), np.float32), np.full((1, 3), log_scale, np.float32)
    immense = Splats(**{**vars(splats), "positions": positions, "scales": scales})
    picture = draw(immense, camera())
    assert picture.max() > 20
    assert np.ptp(picture, axis=(0, 1)).max() <= 1


def test_what_is_behind_the_camera_is_not_drawn() -> None:
    splats = random_scene(50, 1)
    behind = Splats(**{**vars(splats), "positions": splats.positions - np.float32([0, 0, 100])})
    assert draw(splats, camera()).max() > 50
    assert draw(behind, camera()).max() == 0


def test_orbit_camera_ignores_faint_floaters() -> None:
    splats = random_scene(500, 0)
    positions, opacities = splats.positions.copy(), splats.opacities.copy()
    positions[:20], opacities[:20] = 1e5, -8
    with_floaters = Splats(**{**vars(splats), "positions": positions, "opacities": opacities})
    distance = np.linalg.norm(orbit_camera(load_scene(with_floaters, "cpu"), width=64, height=48).position)
    assert distance < 20


def test_preview_is_a_png_that_shows_something() -> None:
    picture = Image.open(io.BytesIO(preview_png(random_scene(300, 3))))
    assert (picture.format, picture.size) == ("PNG", (800, 600))
    assert np.asarray(picture).std() > 10
