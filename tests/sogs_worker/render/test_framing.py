"""The automatic camera shows what there is: its central mass lies within the picture and fills it."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scenes import real_scene
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.formats import read_scene
from sogs_worker.render import load_scene, orbit_camera, preview_png
from sogs_worker.render.camera import Camera
from sogs_worker.render.framing import MARGIN, MOST
from sogs_worker.render.scene import Scene
from sogs_worker.splats import ARRAYS, Splats

COUNT = 1500
SCENES = (
    "biker.compressed.ply",
    "donut_fused_45624_sh0.ply",
    "fruit_drops_minimal.ply",
    "leica_sofort_top8192.ply",
    "playbot/meta.json",
    "skull.sog",
    "snowmiku/scene.ply",
    "train_1000.ply",
)
OBJECTS = ("biker.compressed.ply", "donut_fused_45624_sh0.ply", "playbot/meta.json", "skull.sog")
"""Those of one object without surroundings, all of which must be seen."""


def build_body(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(COUNT, 3) places in a body of any proportions, turned anyhow and anywhere."""
    places = rng.normal(size=(COUNT, 3))
    if kind == "box":
        places = rng.uniform(-1, 1, (COUNT, 3))
    if kind == "shell":
        places /= np.linalg.norm(places, axis=1, keepdims=True)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shift = rng.normal(size=3) * 10
    return (places * 10 ** rng.uniform(-1, 1, 3)) @ turn.T + shift


def build_scene(places: np.ndarray, rng: np.random.Generator) -> Splats:
    count = len(places)
    size = np.log(np.abs(places - places[:1]).mean() * 0.02 + 1e-3) if count else 0.0
    scales = rng.normal(size=(count, 3), loc=size, scale=0.5)
    return Splats(
        positions=places.astype(np.float32),
        rotations=rng.normal(size=(count, 4)).astype(np.float32),
        scales=scales.astype(np.float32),
        opacities=rng.normal(size=count, scale=3).astype(np.float32),
        sh0=rng.normal(size=(count, 3)).astype(np.float32),
        shn=np.zeros((count, 0, 3), np.float32),
    )


def join(one: Splats, other: Splats) -> Splats:
    return replace(one, **{name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in ARRAYS})


def ends(scene: Scene, camera: Camera) -> np.ndarray:
    """(N, 2, 2) least and greatest x and y, -1 to 1 within the picture, of the ellipsoids up to alpha 1/255.

    By the silhouettes: a plane through the eye touches an ellipsoid of covariance C at p if (n p)^2 = n C n.
    """
    rotation, shift = camera.world_to_camera[:3, :3], camera.world_to_camera[:3, 3]
    local = scene.positions.double().numpy() @ rotation.T + shift
    factors = rotation @ scene.factors.double().numpy()
    factors *= np.sqrt(2 * np.log(np.maximum(scene.alphas.double().numpy() * 255, 1)))[:, None, None]
    covariance = factors @ factors.transpose(0, 2, 1)
    result = np.empty((len(local), 2, 2))
    for axis, side, focal in ((0, camera.width, camera.focal[0]), (1, camera.height, camera.focal[1])):
        x, z = local[:, axis], local[:, 2]
        a, b, c = (covariance[:, i, j] for i, j in ((2, 2), (axis, 2), (axis, axis)))
        # n = (1, -s): (x - s z)^2 = c - 2 s b + s^2 a, a quadratic in the slope s.
        square, half, rest = z * z - a, x * z - b, x * x - c
        root = np.sqrt(np.maximum(half * half - square * rest, 0))
        around = (square <= 0) | (z <= 0)  # the eye is within it, or it is behind
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = np.stack([(half - root) / square, (half + root) / square], 1)
        slopes[around] = [-np.inf, np.inf]
        result[:, axis] = slopes * focal / (side / 2)
    return result


def share_within(scene: Scene, camera: Camera, rows: slice = slice(None)) -> float:
    """Return how much of the splats' weight lies within the picture as a whole."""
    within = (np.abs(ends(scene, camera)[rows]) <= 1).all(axis=(1, 2))
    weights = scene.alphas.double().numpy()[rows]
    weights[weights <= 1 / 255] = 0
    return float(weights[within].sum() / weights.sum())


def touches(scene: Scene, camera: Camera) -> bool:
    """Say whether two opposite margins are as narrow as they may be: a nearer camera would cut more off."""
    least, greatest = np.moveaxis(ends(scene, camera), 2, 0)
    weights = np.maximum(scene.alphas.double().numpy(), 1 / 255)[:, None]
    inner = 1 - MARGIN - 1e-3
    beyond = [(weights * (side > inner)).sum(axis=0) + weights.max() for side in (-least, greatest)]
    return bool((np.minimum(*beyond) >= (1 - MOST) * weights.sum()).any())


def fill(scene: Scene, camera: Camera) -> float:
    """Return how much of the picture's width or height the splats span, whichever is more, the outermost left out."""
    local = scene.positions.double().numpy() @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
    local = local[local[:, 2] > 0]
    places = local[:, :2] / local[:, 2:] * camera.focal / (camera.width, camera.height)
    low, high = np.quantile(places, (0.01, 0.99), axis=0)
    return float((high - low).max())


PICTURES = {"width": st.integers(100, 2000), "height": st.integers(100, 2000)}
SCREENS = {"width": st.integers(300, 1200), "height": st.integers(300, 1200)}
BODIES = st.sampled_from(["box", "normal", "shell"])


@settings(max_examples=60, deadline=None)
@given(BODIES, st.integers(0, 10**6), st.floats(-4, 4), st.fixed_dictionaries(PICTURES))
def test_a_body_is_within_the_picture_and_fills_it(
    kind: str, seed: int, azimuth_rad: float, size: dict[str, int]
) -> None:
    rng = np.random.default_rng(seed)
    scene = load_scene(build_scene(build_body(kind, rng), rng), "cpu")
    camera = orbit_camera(scene, azimuth_rad=azimuth_rad, up=rng.normal(size=3), **size)
    assert share_within(scene, camera) >= 0.99
    assert touches(scene, camera)


@settings(max_examples=60, deadline=None)
@given(BODIES, st.integers(0, 10**6), st.floats(0, 0.04), st.floats(2, 5), st.fixed_dictionaries(SCREENS))
def test_floaters_do_not_make_a_body_small(
    kind: str, seed: int, share: float, farness: float, size: dict[str, int]
) -> None:
    rng = np.random.default_rng(seed)
    places = build_body(kind, rng)
    radius = np.linalg.norm(places - places.mean(axis=0), axis=1).max()
    floaters = rng.normal(size=(int(share * COUNT), 3)) * radius * 10**farness + places.mean(axis=0)
    body = build_scene(places, rng)
    scene = load_scene(join(body, build_scene(floaters, rng)), "cpu")
    camera = orbit_camera(scene, **size)
    assert share_within(scene, camera, slice(0, COUNT)) >= 0.99
    assert np.linalg.norm(camera.position - places.mean(axis=0)) < 8 * radius


@pytest.mark.parametrize("up", [(0, -1, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (0.3, -0.2, 5)])
def test_what_is_up_is_up_in_the_picture(up: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    scene = load_scene(build_scene(build_body("box", rng), rng), "cpu")
    camera = orbit_camera(scene, width=80, height=60, up=np.asarray(up, float))
    across, down, forward = camera.world_to_camera[:3, :3] @ np.asarray(up) / np.linalg.norm(up)
    assert across == pytest.approx(0, abs=1e-9)
    assert down < -0.9
    assert forward < 0, "it looks down a little"
    assert np.linalg.det(camera.world_to_camera[:3, :3]) == pytest.approx(1)


@pytest.mark.parametrize("change", ["one splat", "one place", "nothing visible", "immense"])
def test_odd_scenes_have_a_camera(change: str) -> None:
    rng = np.random.default_rng(1)
    splats = build_scene(build_body("box", rng)[: 1 if change == "one splat" else COUNT], rng)
    match change:
        case "one place":
            splats.positions[:] = 3
            splats.scales[:] = -np.inf
        case "nothing visible":
            splats.opacities[:] = -20
        case "immense":
            splats.scales[:] = 80
    camera = orbit_camera(load_scene(splats, "cpu"), width=80, height=60)
    assert np.isfinite(camera.world_to_camera).all()


def test_the_camera_of_a_large_scene_is_nearly_that_of_all_its_splats(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    scene = load_scene(build_scene(rng.normal(size=(20_001, 3)), rng), "cpu")
    expected = orbit_camera(scene, width=80, height=60).position
    monkeypatch.setattr("sogs_worker.render.framing.LOOKED_AT", 5000)
    got = orbit_camera(scene, width=80, height=60).position
    assert 0 < np.linalg.norm(got - expected) < 0.05 * np.linalg.norm(expected)


@pytest.mark.parametrize("name", SCENES)
def test_a_real_scene_is_shown(name: str) -> None:
    splats, _ = drop_unusable(read_scene(real_scene(name)))
    scene = load_scene(splats, "cpu")
    camera = orbit_camera(scene, width=800, height=600)
    assert share_within(scene, camera) >= (0.99 if name in OBJECTS else 0.8)
    assert fill(scene, camera) > 0.3


def test_an_object_does_not_touch_the_edges() -> None:
    splats, _ = drop_unusable(read_scene(real_scene("donut_fused_45624_sh0.ply")))
    picture = np.asarray(Image.open(io.BytesIO(preview_png(splats))))
    edges = [picture[:3], picture[-3:], picture[:, :3], picture[:, -3:]]
    assert max(edge.max() for edge in edges) < 40
    assert picture[300, 250].max() > 100
