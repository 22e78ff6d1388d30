"""How much of each splat cameras see: against a picture made texel by texel, and in scenes whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from devices import on_a_gpu
from sogs_worker.render import visibility
from sogs_worker.render.scene import Shapes, build_shapes
from sogs_worker.render.survey import AROUND, Survey, survey
from sogs_worker.render.visibility import PICTURE, seen_energy
from splat_builders import build_splats

FAR = 100.0
"""Distance of the camera, so far that perspective hardly matters."""
FOCAL = 10.0
"""In sides of the picture: its side is a tenth of the distance."""


def front(eyes: int = 1) -> Survey:
    """Cameras that look along z at the origin, all alike."""
    rotations = torch.eye(3).expand(eyes, 3, 3).contiguous()
    return Survey(rotations, torch.tensor([[0.0, 0, -FAR]]).repeat(eyes, 1), (FOCAL,) * eyes)


def balls(places: list[tuple[float, float, float]], sizes: list[float], alphas: list[float]) -> Shapes:
    factors = torch.eye(3) * torch.tensor(sizes)[:, None, None]
    return Shapes(torch.tensor(places), factors, torch.tensor(alphas))


def random_shapes(count: int, seed: int) -> Shapes:
    splats = build_splats(count, bands=0, seed=seed)
    arrays = (splats.positions, splats.rotations, splats.scales, splats.opacities)
    return build_shapes(*(torch.from_numpy(array) for array in arrays))


def texel_by_texel(shapes: Shapes, side: int) -> np.ndarray:
    """The same energies for `front()` by a loop over splats and arrays of texels, in float64."""
    grid = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), axis=-1)
    light, energies = np.ones((side, side)), np.zeros(len(shapes.alphas))
    positions, factors = shapes.positions.double().numpy(), shapes.factors.double().numpy()
    blur = visibility.BLUR_PIXELS2 * np.eye(2)
    for splat in np.argsort(positions[:, 2], kind="stable"):
        x, y, depth = positions[splat] + [0, 0, FAR]
        jacobian = FOCAL * side / depth * np.array([[1, 0, -x / depth], [0, 1, -y / depth]])
        covariance = jacobian @ factors[splat] @ factors[splat].T @ jacobian.T
        area = math.sqrt(np.linalg.det(covariance + blur * (side / PICTURE) ** 2))
        sharpness = math.sqrt(max(np.linalg.det(covariance), 0)) / area if shapes.is_antialiased else 1
        seen = covariance + blur
        offsets = grid - (FOCAL * side * np.array([x, y]) / depth + side / 2)
        distances = np.einsum("hwi,ij,hwj->hw", offsets, np.linalg.inv(seen), offsets)
        halves = np.minimum(visibility.REACH * np.sqrt(np.diag(seen)), visibility.LARGEST)
        covered = (distances <= visibility.REACH**2) & (np.abs(offsets) <= halves).all(axis=-1)
        density = np.where(covered, np.exp(-distances / 2), 0)
        alpha = float(shapes.alphas[splat]) * sharpness
        if covered.any():
            energies[splat] = alpha**2 * area * (density**2 * light**2).sum() / (density**2).sum()
        light *= 1 - np.minimum(alpha * area / math.sqrt(np.linalg.det(seen)), visibility.LARGEST_ALPHA) * density
    return energies * (PICTURE / side) ** 2


@pytest.mark.parametrize("is_antialiased", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_what_a_loop_over_texels_finds(seed: int, is_antialiased: bool) -> None:
    shapes = replace(random_shapes(60, seed), is_antialiased=is_antialiased)
    want = texel_by_texel(shapes, visibility.SIDES[0])
    got = seen_energy(shapes, front()).numpy()
    assert (want > 0).sum() > 40
    assert got == pytest.approx(want, rel=2e-3, abs=1e-4 * want.max())


@given(st.floats(0.1, 0.99), st.floats(0.05, 0.3))
def test_what_stands_alone_has_its_squared_alpha_times_its_area(alpha: float, size: float) -> None:
    sigma = size * FOCAL / FAR * PICTURE  # pixels
    energy = float(seen_energy(balls([(0, 0, 0)], [size], [alpha]), front())[0])
    assert energy == pytest.approx(alpha**2 * (sigma**2 + visibility.BLUR_PIXELS2), rel=1e-3)


def test_what_stands_behind_gets_the_light_that_is_left() -> None:
    """Four equal balls of alpha 1/2 in a row: three quarters of the energy are lost with each, at its middle."""
    row = balls([(0.05, 0.05, 8.0 * index) for index in range(4)], [0.2] * 4, [0.5] * 4)
    energies = seen_energy(row, front()).numpy()
    assert (energies[1:] / energies[:-1] < 0.75).all()
    assert (energies[1:] / energies[:-1] > 0.25).all()


def test_a_ball_within_an_opaque_shell_is_hardly_seen_and_the_shell_is() -> None:
    directions = torch.from_numpy(np.random.default_rng(0).standard_normal((4000, 3))).float()
    places = torch.cat([torch.nn.functional.normalize(directions, dim=1), torch.zeros(1, 3)])
    sizes = torch.full((4001,), 0.1)
    shapes = Shapes(places, torch.eye(3) * sizes[:, None, None], torch.full((4001,), 0.95))
    cameras = survey(places)
    around = Survey(*(part[:AROUND] for part in (cameras.rotations, cameras.eyes, cameras.focals)))
    energies = seen_energy(shapes, around).numpy()
    assert energies[-1] < 1e-3 * np.median(energies)


def test_cameras_count_alike() -> None:
    shapes = random_shapes(50, 3)
    once, thrice = seen_energy(shapes, front()), seen_energy(shapes, front(3))
    assert torch.allclose(once, thrice)


def test_it_does_not_depend_on_how_much_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = random_shapes(300, 4)
    cameras = survey(shapes.positions)
    want = seen_energy(shapes, cameras)
    monkeypatch.setattr(visibility, "PAIRS", {"cpu": 64})
    assert torch.allclose(seen_energy(shapes, cameras), want, rtol=1e-5)


def test_a_survey_sees_every_splat_of_a_thin_scene() -> None:
    shapes = random_shapes(2000, 5)
    thin = Shapes(shapes.positions, 0.01 * shapes.factors, shapes.alphas)
    assert (seen_energy(thin, survey(thin.positions)) > 0).all()


@pytest.mark.parametrize("places", [[(0.0, 0, 0)], [(1e30, 0, 0), (-1e30, 0, 0)], [(3e38, 3e38, -3e38)] * 3])
def test_wild_scenes_have_finite_energies(places: list[tuple[float, float, float]]) -> None:
    for size in (1e-30, 1.0, 1e18):
        shapes = balls(places, [size] * len(places), [1.0] * len(places))
        for each in (shapes, replace(shapes, is_antialiased=True)):
            energies = seen_energy(each, survey(each.positions))
            assert energies.isfinite().all()
            assert (energies >= 0).all()


def test_a_survey_has_rigid_cameras_that_look_at_the_scene() -> None:
    positions = torch.from_numpy(build_splats(500).positions)
    cameras = survey(positions)
    assert torch.allclose(cameras.rotations @ cameras.rotations.mT, torch.eye(3).expand(len(cameras), 3, 3), atol=1e-5)
    assert torch.linalg.det(cameras.rotations).min() > 0.99
    middle = positions.sort(dim=0).values[len(positions) // 2]
    ahead = torch.einsum("vj,vj->v", cameras.rotations[:, 2], middle - cameras.eyes)
    assert (ahead[:AROUND] > 0.9 * (middle - cameras.eyes[:AROUND]).norm(dim=1)).all()
    assert torch.allclose(cameras.eyes[AROUND:], middle, atol=0.1)


@on_a_gpu
def test_cuda_sees_what_the_cpu_sees() -> None:
    shapes = random_shapes(20000, 6)
    want = seen_energy(shapes, survey(shapes.positions))
    moved = Shapes(*(getattr(shapes, name).cuda() for name in ("positions", "factors", "alphas")))
    got = seen_energy(moved, survey(moved.positions))
    assert torch.equal(got, seen_energy(moved, survey(moved.positions)))
    assert got.cpu().numpy() == pytest.approx(want.numpy(), rel=0.02, abs=1e-3 * float(want.max()))
