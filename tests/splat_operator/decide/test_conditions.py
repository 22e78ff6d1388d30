"""The conditions after kstatus: which are true in which phase, and when their transition time moves."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import NOW, at
from splat_operator.api.names import FAILED, PENDING, RUNNING, SUCCEEDED, SUSPENDED
from splat_operator.decide.conditions import UNKNOWN_SCHEDULED, Claim, claims, find, merge


def made(phase: str, **changes: Any) -> dict[str, Claim]:
    told = {"phase": phase, "reason": "Why", "message": "Because.", "scheduled": UNKNOWN_SCHEDULED, **changes}
    return {claim.type: claim for claim in claims(**told)}


@pytest.mark.parametrize(
    ("phase", "ready", "reconciling", "stalled"),
    [
        (PENDING, "False", "True", "False"),
        (RUNNING, "False", "True", "False"),
        (SUSPENDED, "False", "False", "False"),
        (SUCCEEDED, "True", "False", "False"),
        (FAILED, "False", "False", "True"),
    ],
)
def test_phase_decides_the_conditions(phase: str, ready: str, reconciling: str, stalled: str) -> None:
    told = made(phase)
    assert [told[kind].status for kind in ("Ready", "Reconciling", "Stalled")] == [ready, reconciling, stalled]


@pytest.mark.parametrize("phase", [PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED])
def test_abnormal_conditions_are_silent_when_false_and_speak_when_true(phase: str) -> None:
    told = made(phase)
    for kind in ("Reconciling", "Stalled"):
        assert (told[kind].message == "Because.") == (told[kind].status == "True")
        assert told[kind].reason


def one(status: str, message: str = "") -> Claim:
    return Claim("Ready", status, "Why", message)


def test_transition_time_is_kept_while_the_status_stays() -> None:
    first = merge([], [one("False")], now=NOW, observed_generation=1)
    later = merge(first, [one("False", "other words")], now=at(9), observed_generation=2)
    assert later[0]["lastTransitionTime"] == "2026-01-01T12:00:00Z"
    assert (later[0]["message"], later[0]["observedGeneration"]) == ("other words", 2)


def test_transition_time_moves_with_the_status() -> None:
    first = merge([], [one("False")], now=NOW, observed_generation=1)
    assert merge(first, [one("True")], now=at(9), observed_generation=1)[0]["lastTransitionTime"] == (
        "2026-01-01T12:00:09Z"
    )


def test_find() -> None:
    status = {"conditions": merge([], [one("True")], now=NOW, observed_generation=1)}
    assert find(status, "Ready")["status"] == "True"
    assert find(status, "Stalled") == {}
    assert find({}, "Ready") == {}
