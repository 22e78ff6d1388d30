"""A scene whose axes are turned looks the same to a viewer who is turned with it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from sogs_worker.formats.axes import to_ply_axes
from sogs_worker.formats.spz.extensions import SYSTEMS
from sogs_worker.render.harmonics import colours
from splat_builders import build_splats, covariances

POINTS_TO = {"R": (1, 0, 0), "L": (-1, 0, 0), "D": (0, 1, 0), "U": (0, -1, 0), "F": (0, 0, 1), "B": (0, 0, -1)}
"""In a PLY's axes."""


@pytest.mark.parametrize("bands", range(4))
@pytest.mark.parametrize("axes", [each for each in SYSTEMS if each])
def test_a_turned_scene_looks_the_same(axes: str, bands: int) -> None:
    splats = replace(build_splats(30, bands=bands), origin=(100.0, 20.0, 3.0))
    turned = to_ply_axes(splats, axes)
    matrix = np.array([POINTS_TO[each] for each in axes], float).T
    np.testing.assert_allclose(turned.world_positions(), splats.world_positions() @ matrix.T, atol=1e-5)
    np.testing.assert_allclose(covariances(turned), matrix @ covariances(splats) @ matrix.T, atol=1e-6)
    directions = np.random.default_rng(1).normal(size=(30, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    seen, wanted = (
        colours(*(torch.from_numpy(each.astype(float)) for each in (scene.sh0, scene.shn, view))).numpy()
        for scene, view in ((turned, directions @ matrix.T), (splats, directions))
    )
    np.testing.assert_allclose(seen, wanted, atol=1e-5)


def test_the_systems_are_numbered_as_spz_has_them() -> None:
    assert (SYSTEMS[4], SYSTEMS[6], SYSTEMS[7], SYSTEMS[8]) == ("RUB", "RDF", "LUF", "RUF")
    every = {"".join(each) for side in itertools.product("LR", "UD", "FB") for each in itertools.permutations(side)}
    assert {each for each in every if each[0] in "LR"} == set(SYSTEMS[1:])


def test_a_plys_axes_stay() -> None:
    splats = build_splats(3)
    assert to_ply_axes(splats, "RDF") is splats
