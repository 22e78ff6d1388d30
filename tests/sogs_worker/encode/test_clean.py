"""What is dropped from a scene, and what is mended."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.encode.clean import INVISIBLE_LOGIT, Cleaned, clean, drop_unusable, is_usable, with_finite_scales
from sogs_worker.encode.cloud import upload
from sogs_worker.errors import BadInputError
from sogs_worker.splats import ARRAYS, Splats
from splat_builders import build_splats, replace

ATTRIBUTES = ["positions", "rotations", "scales", "sh0", "shn"]


def clean_splats(splats: Splats) -> Cleaned:
    return clean(upload(splats, "cpu"))


def with_opacities(*opacities: float) -> Splats:
    return replace(build_splats(len(opacities)), opacities=np.array(opacities, np.float32))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (name, value)
        for name in ATTRIBUTES
        for value in (np.nan, np.inf, -np.inf)
        if (name, value) != ("scales", -np.inf)
    ],
)
def test_a_value_that_is_not_finite_drops_its_splat(attribute: str, value: float) -> None:
    splats = replace(build_splats(10), opacities=np.zeros(10, np.float32))
    values = getattr(splats, attribute).copy()
    values[4].flat[-1] = value
    broken = replace(splats, **{attribute: values})
    kept, dropped = drop_unusable(broken)
    assert dropped == 1
    assert np.array_equal(kept.positions, np.delete(splats.positions, 4, axis=0))
    cleaned = clean_splats(broken)
    assert (cleaned.unusable, cleaned.invisible) == (1, 0)
    assert np.array_equal(cleaned.cloud.positions.numpy(), kept.positions)


@pytest.mark.parametrize(
    ("value", "unusable", "invisible"),
    [
        (np.nan, 1, 0),
        (-np.inf, 1, 0),
        (np.inf, 0, 0),
        (40, 0, 0),
        (-40, 0, 1),
        (-1e30, 0, 1),
        (-5.5, 0, 0),
        (-5.6, 0, 1),
    ],
)
def test_opacity_decides_whether_a_splat_is_usable_and_visible(value: float, unusable: int, invisible: int) -> None:
    splats = with_opacities(0, 1, value, 2, 3)
    assert drop_unusable(splats)[1] == unusable
    cleaned = clean_splats(splats)
    assert (cleaned.unusable, cleaned.invisible) == (unusable, invisible)
    kept = [0, 1, *([] if unusable or invisible else [2]), 3, 4]
    assert np.array_equal(cleaned.cloud.sh0.numpy(), splats.sh0[kept])


@given(
    st.lists(st.sampled_from([math.nan, -math.inf, math.inf, -40.0, -5.6, -5.5, 0.0, 40.0]), min_size=1, max_size=30)
)
def test_every_splat_is_kept_or_counted(opacities: list[float]) -> None:
    splats = with_opacities(*opacities)
    usable = [i for i, value in enumerate(opacities) if not math.isnan(value) and value != -math.inf]
    visible = [i for i in usable if opacities[i] >= INVISIBLE_LOGIT]
    if not usable:
        with pytest.raises(BadInputError, match="NaN, infinite, zero or invisible"):
            clean_splats(splats)
        return
    cleaned = clean_splats(splats)
    assert np.array_equal(cleaned.cloud.positions.numpy(), splats.positions[visible or usable])
    assert cleaned.unusable == len(opacities) - len(usable)
    assert len(cleaned.cloud) + cleaned.unusable + cleaned.invisible == len(opacities)


def test_what_a_bundle_shows_at_least_is_not_dropped_when_it_is_encoded_again() -> None:
    faintest = np.float32(np.log((1 / 255) / (254 / 255)))
    assert clean_splats(with_opacities(0, float(faintest))).invisible == 0


def test_a_scene_of_invisible_splats_only_keeps_them() -> None:
    cleaned = clean_splats(with_opacities(-20, np.nan, -30))
    assert (len(cleaned.cloud), cleaned.unusable, cleaned.invisible) == (2, 1, 0)


def test_a_quaternion_of_norm_zero_becomes_the_identity() -> None:
    rotations = build_splats(5).rotations.copy()
    rotations[3] = 0
    splats = replace(build_splats(5), rotations=rotations, opacities=np.zeros(5, np.float32))
    kept, dropped = drop_unusable(splats)
    assert dropped == 0
    for got in (kept.rotations, clean_splats(splats).cloud.rotations.numpy()):
        assert got[3].tolist() == [1, 0, 0, 0]
        assert np.array_equal(got[[0, 1, 2, 4]], rotations[[0, 1, 2, 4]])
    assert rotations[3].tolist() == [0, 0, 0, 0]


SCALES = st.sampled_from([-math.inf, -1e30, -90.0, -9.0, -4.0, 0.0, 3.0])


@given(st.lists(st.tuples(SCALES, SCALES, SCALES), min_size=1, max_size=20))
def test_a_splat_without_thickness_is_kept_and_thinner_than_all_others(rows: list[tuple[float, ...]]) -> None:
    scales = np.array(rows, np.float32)
    splats = replace(build_splats(len(rows)), scales=scales, opacities=np.zeros(len(rows), np.float32))
    flat = scales == -np.inf
    kept, dropped = drop_unusable(splats)
    assert dropped == 0
    assert np.isfinite(kept.scales).all()
    assert np.array_equal(kept.scales[~flat], scales[~flat])
    assert len(np.unique(kept.scales[flat])) <= 1, "one entry of a codebook is enough for all"
    assert (kept.scales[flat] <= scales[~flat].min(initial=3) - 10).all()
    assert np.array_equal(splats.scales, scales)
    cleaned = clean_splats(splats)
    assert np.array_equal(cleaned.cloud.scales.numpy(), scales)
    assert np.array_equal(with_finite_scales(cleaned.cloud.scales).numpy(), kept.scales)


def with_rows_of_zeros(splats: Splats, rows: list[int], but: str = "") -> Splats:
    """Put zeros in all attributes but one."""
    arrays = {name: getattr(splats, name).copy() for name in ARRAYS}
    for name in set(ARRAYS) - {but}:
        arrays[name][rows] = 0
    return replace(splats, **arrays)


@given(st.sets(st.integers(0, 11), max_size=11), st.integers(0, 3), st.booleans())
def test_rows_of_zeros_are_unusable(rows: set[int], bands: int, are_surfels: bool) -> None:
    splats = replace(build_splats(12, bands=bands), opacities=np.full(12, 0.5, np.float32))
    empty = with_rows_of_zeros(splats, sorted(rows))
    if are_surfels:
        empty.scales[:, 2] = -np.inf
    kept, dropped = drop_unusable(empty)
    cleaned = clean_splats(empty)
    assert (dropped, cleaned.unusable, cleaned.invisible) == (len(rows), len(rows), 0)
    want = np.delete(splats.positions, sorted(rows), axis=0)
    assert np.array_equal(kept.positions, want)
    assert np.array_equal(cleaned.cloud.positions.numpy(), want)
    assert np.array_equal(np.flatnonzero(~is_usable(empty)), sorted(rows))


@pytest.mark.parametrize("attribute", [*ATTRIBUTES, "opacities"])
def test_a_splat_with_anything_in_it_is_one(attribute: str) -> None:
    splats = replace(build_splats(4), opacities=np.full(4, 0.5, np.float32))
    kept, dropped = drop_unusable(with_rows_of_zeros(splats, [2], but=attribute))
    assert (len(kept), dropped) == (4, 0)
    assert np.linalg.norm(kept.rotations, axis=1).all()


def test_a_scene_of_zeros_only_is_refused() -> None:
    with pytest.raises(BadInputError, match="all 3 splats of the scene are NaN, infinite, zero or invisible"):
        clean_splats(with_rows_of_zeros(build_splats(3), [0, 1, 2]))


@pytest.mark.parametrize("function", [drop_unusable, clean_splats])
def test_a_scene_without_a_usable_splat_is_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(BadInputError, match="all 3 splats"):
        function(with_opacities(np.nan, np.nan, np.nan))
    with pytest.raises(BadInputError, match="no splats"):
        function(build_splats(0))
