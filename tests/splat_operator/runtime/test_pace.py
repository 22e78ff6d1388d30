"""Progress costs the same however many run."""

from __future__ import annotations

import pytest

from splat_operator.runtime.pace import Pace


def pace(**running: int) -> Pace[str]:
    made: Pace[str] = Pace(interval_s=5, reads_per_s=40)
    for key, pods in running.items():
        made.note(key, running_pods=pods, now_s=0, has_read=True)
    return made


@pytest.mark.parametrize(
    ("running", "delay_s"),
    [
        pytest.param({"a": 1}, 5, id="one"),
        pytest.param({"a": 200}, 5, id="as many as fit"),
        pytest.param({"a": 1, **{f"b{n}": 1 for n in range(999)}}, 25, id="a thousand"),
        pytest.param({"a": 500, "b": 500}, 25, id="a thousand pods of two"),
    ],
)
def test_delay_grows_with_the_number_of_pods(running: dict[str, int], delay_s: float) -> None:
    made = pace(**running)
    assert made.delay_s("a", 0, now_s=0) == delay_s
    assert not made.is_due("a", now_s=delay_s - 0.1)
    assert made.is_due("a", now_s=delay_s)


def test_an_event_in_between_makes_it_not_more_often() -> None:
    made = pace(a=1)
    made.note("a", running_pods=1, now_s=3, has_read=False)
    assert made.delay_s("a", 0, now_s=3) == 2


def test_what_does_not_run_is_not_slowed_down() -> None:
    made = pace(a=1000)
    assert made.is_due("b", now_s=0)
    assert made.delay_s("b", 0.5, now_s=0) == 0.5
    made.note("a", running_pods=0, now_s=1, has_read=False)
    assert made.delay_s("a", 0.5, now_s=1) == 0.5
    assert pace(a=0).is_due("a", now_s=0)


def test_pods_that_end_are_not_counted_any_more() -> None:
    made = pace(a=1, b=1000)
    made.note("b", running_pods=0, now_s=0, has_read=False)
    assert made.delay_s("a", 0, now_s=0) == 5
