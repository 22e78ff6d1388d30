"""The cameras of an evaluation on an orbit of the scene."""

from __future__ import annotations

import numpy as np
import pytest

from sogs_worker.evaluate import orbit_views
from splat_builders import build_splats, replace


def test_the_orbit_frames_the_centre_from_all_sides() -> None:
    splats = build_splats(2000)
    positions = splats.positions + np.float32([10, -20, 5])
    positions[:40] = 1e6
    views = orbit_views(replace(splats, positions=positions), 6)
    eyes = np.array([view.camera.position for view in views])
    assert [view.name for view in views] == [f"orbit{k}" for k in range(6)]
    assert eyes.mean(axis=0) == pytest.approx([10, -20, 5], abs=1.5)
    low, high = np.percentile(positions.astype(float), [5, 95], axis=0)
    distances = np.linalg.norm(eyes - (low + high) / 2, axis=1)
    assert distances == pytest.approx(1.8 * np.linalg.norm(high - low) / 2)
    for view in views:
        local = view.camera.world_to_camera @ [*(low + high) / 2, 1]
        assert local[:2] == pytest.approx([0, 0], abs=1e-4)
        assert local[2] > 0
    # World y points down: views with an even number stand above the scene.
    assert all(eyes[::2, 1] < eyes[1::2, 1])


def test_the_orbit_of_splats_in_one_place_keeps_a_distance() -> None:
    one = replace(build_splats(1), scales=np.log(np.float32([[0.1, 2.0, 0.5]])))
    distance = np.linalg.norm(orbit_views(one, 1)[0].camera.position - one.positions[0])
    assert distance == pytest.approx(1.8 * 2.0, rel=1e-3)
