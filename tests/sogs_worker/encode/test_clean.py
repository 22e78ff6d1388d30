"""What is dropped from a scene, and what is mended."""

from __future__ import annotations

import numpy as np
import pytest

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import BadInputError
from splat_builders import build_splats, replace

ATTRIBUTES = ["positions", "rotations", "scales", "sh0", "shn"]


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_drops_its_splat(attribute: str, value: float) -> None:
    splats = build_splats(10)
    values = getattr(splats, attribute).copy()
    values[4].flat[-1] = value
    kept, dropped = drop_unusable(replace(splats, **{attribute: values}))
    assert dropped == 1
    assert np.array_equal(kept.positions, np.delete(splats.positions, 4, axis=0))


@pytest.mark.parametrize(("value", "expected"), [(np.nan, 1), (-np.inf, 1), (np.inf, 0), (-1e30, 0)])
def test_opacity_may_be_plus_infinity_only(value: float, expected: int) -> None:
    opacities = build_splats(5).opacities.copy()
    opacities[2] = value
    assert drop_unusable(replace(build_splats(5), opacities=opacities))[1] == expected


def test_a_quaternion_of_norm_zero_becomes_the_identity() -> None:
    rotations = build_splats(5).rotations.copy()
    rotations[3] = 0
    kept, dropped = drop_unusable(replace(build_splats(5), rotations=rotations))
    assert dropped == 0
    assert kept.rotations[3].tolist() == [1, 0, 0, 0]
    assert rotations[3].tolist() == [0, 0, 0, 0]


def test_a_scene_without_a_usable_splat_is_refused() -> None:
    splats = replace(build_splats(3), opacities=np.full(3, np.nan, np.float32))
    with pytest.raises(BadInputError, match="all 3 splats"):
        drop_unusable(splats)
    with pytest.raises(BadInputError, match="no splats"):
        drop_unusable(build_splats(0))
