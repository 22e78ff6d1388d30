"""The data model: whatever selects or changes splats leaves them where they are, and a scene what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.splats import Model, Splats
from splat_builders import build_splats

MAP = (500_000.0, 5_400_000.0, 120.0)

CHANGES: dict[str, Callable[[Splats], Splats]] = {
    "take": lambda splats: splats.take(np.arange(20)),
    "with_sh_bands": lambda splats: splats.with_sh_bands(1),
    "drop_unusable": lambda splats: drop_unusable(splats)[0],
    "counted_from": lambda splats: splats.counted_from((500_008.0, 5_399_990.0, 0.0)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_splats_stay_where_they_are(change: str) -> None:
    splats = replace(build_splats(20), origin=MAP)
    changed = CHANGES[change](splats)
    np.testing.assert_allclose(changed.world_positions(), splats.world_positions(), rtol=0, atol=1e-5)
    assert changed.positions.dtype == np.float32


def test_counting_from_the_same_origin_copies_nothing() -> None:
    splats = replace(build_splats(20), origin=MAP)
    assert splats.counted_from(MAP) is splats


@pytest.mark.parametrize("model", Model)
def test_the_model_stays_with_a_part_of_the_scene(model: Model) -> None:
    splats = replace(build_splats(5), model=model)
    assert splats.take(np.array([3, 1])).model is model
    assert splats.with_sh_bands(1).model is model
    assert drop_unusable(splats)[0].model is model


def test_a_scene_of_which_nothing_is_known_is_an_ordinary_one() -> None:
    assert build_splats(1).model is Model.DEFAULT
