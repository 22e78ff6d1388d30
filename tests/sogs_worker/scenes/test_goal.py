"""The search meets what can be met, for any measure that grows with the number of splats, in few trials."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.scenes.goal import TRIALS, Goal, search, search_twice
from sogs_worker.scenes.search import ABOVE_DB, BELOW_DB, DB_SLOPE, FITTED_DB

BYTES = Goal(math.log(0.97e6), math.log(1e6), 0.96)


@given(
    most=st.integers(1, 10**7),
    first=st.integers(-10, 10**8),
    slope=st.floats(0.7, 1.3),
    per_splat=st.floats(5, 60),
    bend=st.floats(-0.02, 0.02),
)
def test_bytes_are_met_where_the_scene_has_as_many(
    most: int, first: int, slope: float, per_splat: float, bend: float
) -> None:
    def measure(count: int) -> float:
        logarithm = math.log(count)
        return math.log(9000) + math.log1p(per_splat * count**slope / 9000) + bend * math.sin(logarithm)

    values: dict[int, float] = {}

    def noted(count: int) -> float:
        assert 1 <= count <= most
        assert count not in values, "no trial is repeated"
        values[count] = measure(count)
        return values[count]

    last = search(BYTES, most, first, noted)
    assert len(values) <= TRIALS
    if measure(most) <= BYTES.high:
        assert BYTES.low <= values[last] or last == most
    else:
        assert BYTES.low <= values[last] <= BYTES.high


@given(
    most=st.integers(1, 10**7),
    db=st.floats(20, 60),
    limit=st.floats(40, 100),
    slope=st.floats(3, 14),
    wanted=st.floats(15, 65),
)
def test_a_psnr_is_met_where_all_splats_reach_it(
    most: int, db: float, limit: float, slope: float, wanted: float
) -> None:
    """Few splats lose much by what was merged; many only what quantisation costs, up to a limit."""

    def measure(count: int) -> float:
        merged = db + slope * math.log(count / most)
        return -10 * math.log10(10 ** (-merged / 10) + 10 ** (-limit / 10))

    values: dict[int, float] = {}

    def noted(count: int) -> float:
        values[count] = measure(count)
        return values[count]

    search(Goal(wanted, wanted + 0.2, 7.0), most, round(most * math.exp(min(wanted - 46, 0) / 7)), noted)
    assert len(values) <= TRIALS
    reached = [count for count, value in values.items() if value >= wanted]
    if measure(most) < wanted:
        assert most in values, "it is known that not even all of them have it"
        assert not reached
    elif min(reached) > 1:
        step = slope * math.log1p(1 / (min(reached) - 1))  # by which one splat more or less changes it
        assert min(values[count] for count in reached) <= wanted + 0.2 + step


def test_a_measure_that_jumps_ends_the_search() -> None:
    tried: list[int] = []

    def measure(count: int) -> float:
        tried.append(count)
        return 0.0 if count < 500 else 10.0

    search(Goal(4.0, 5.0, 1.0), 1000, 100, measure)
    assert len(tried) <= TRIALS
    assert len(set(tried)) == len(tried)


@given(
    most=st.integers(1000, 10**7),
    db=st.floats(40, 50),
    slope=st.floats(5, 10),
    gain=st.floats(-1, 5),
    drift=st.floats(-0.3, 0.3),
    wanted=st.floats(36, 41),
)
def test_estimates_save_measurements(
    most: int, db: float, slope: float, gain: float, drift: float, wanted: float
) -> None:
    """What is measured exceeds its estimate by a gain that changes a little with the number of splats."""
    goal, measured, counts = Goal(wanted, wanted + 0.2, 7.0), list[float](), list[int]()

    def estimate(count: int) -> float:
        return db + slope * math.log(count / most)

    def measure(count: int) -> float:
        counts.append(count)
        measured.append(estimate(count) + gain + drift * math.log(count / most))
        return measured[-1]

    search_twice(goal, most, most // 3, estimate, measure, 2.0)
    assert not any(goal.low <= value <= goal.high for value in measured[:-1]), "more only where the goal is missed"
    assert len(measured) <= 3 or slope / min(counts) > 0.1, "unless single splats make half of the goal's width"
    if db + gain >= wanted + 0.2:
        assert goal.low - 0.1 <= measured[-1] <= goal.high + 0.1


def count_measurements(draws: np.random.Generator) -> int:
    """Search for a PSNR as `scenes.search` does, in a scene that scatters as measured ones do."""
    most, least, measured = 200_000, draws.uniform(36, 41), list[float]()
    db, slope, gain = draws.uniform(42, 52), draws.uniform(4, 14), draws.normal(1.1, 0.5)

    def look(count: int) -> float:
        return float(db + slope * math.log(count / most) + draws.normal(0, 0.4))

    def measure(count: int) -> float:
        measured.append(look(count) + gain)
        return measured[-1]

    goal = Goal(least - BELOW_DB, least + ABOVE_DB, DB_SLOPE)
    search_twice(goal, most, most // 3, look, measure, FITTED_DB)
    return len(measured)


def test_one_measurement_is_enough_for_most_scenes_whose_steps_change_too() -> None:
    draws = np.random.default_rng(0)
    needed = [count_measurements(draws) for _ in range(300)]
    assert sum(count == 1 for count in needed) > 0.75 * len(needed)
    assert sum(count <= 2 for count in needed) > 0.95 * len(needed)


@given(most=st.integers(1, 10**6), value=st.floats(0, 10))
def test_what_cannot_be_reached_is_measured_with_all_splats(most: int, value: float) -> None:
    measured: list[int] = []

    def measure(count: int) -> float:
        measured.append(count)
        return value

    search_twice(Goal(20.0, 20.2, 7.0), most, 1, lambda _: value - 1, measure, 2.0)
    assert measured[-1] == most
    assert len(measured) <= 3
