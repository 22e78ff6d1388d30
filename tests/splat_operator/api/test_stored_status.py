"""What is read of a status that anybody may have written: what is sound, and nothing that a decision could fail on."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import failed_pod, settled
from splat_operator.api.stored_status import read_status

CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Succeeded",
    "message": "",
    "lastTransitionTime": "2026-01-01T12:00:00Z",
}
FAILURE = {"pod": "garden-x", "reason": "IOError", "message": "Broken.", "time": "2026-01-01T12:00:00Z"}


@pytest.mark.parametrize("outcome", [None, failed_pod(69)], ids=["success", "failure"])
def test_what_the_operator_writes_is_read_whole(outcome: Any) -> None:
    status = settled(outcome).status
    assert status
    assert read_status(status) == status


def test_a_field_of_a_later_version_stays() -> None:
    assert read_status({"phase": "Running", "news": {"a": [1]}}) == {"phase": "Running", "news": {"a": [1]}}


@pytest.mark.parametrize("raw", [None, "Running", 7, [], [{"phase": "Running"}], True], ids=str)
def test_what_is_no_object_is_nothing(raw: Any) -> None:
    assert read_status(raw) == {}


ODD: dict[str, Any] = {
    "phase": 7,
    "jobName": ["garden"],
    "retryOn": {},
    "duration": 42,
    "observedGeneration": "1",
    "startTime": "yesterday",
    "completionTime": "2026-01-01T12:00:00",
    "progress": "40 %",
    "conditions": {"type": "Ready"},
    "failures": "none",
    "outputs": 3,
}


@pytest.mark.parametrize(("name", "value"), ODD.items(), ids=ODD)
def test_a_field_of_a_wrong_kind_is_left_out(name: str, value: Any) -> None:
    """A time without a zone could not be compared with another."""
    assert read_status({name: value, "engine": "native"}) == {"engine": "native"}
    assert read_status({name: None}) == {}


def test_true_is_no_number() -> None:
    assert read_status({"observedGeneration": True}) == {}


@pytest.mark.parametrize("missing", CONDITION)
def test_a_condition_with_a_part_missing_is_left_out(missing: str) -> None:
    partial = {name: value for name, value in CONDITION.items() if name != missing}
    assert read_status({"conditions": [partial, CONDITION, {**CONDITION, missing: None}, "Ready", None]}) == {
        "conditions": [CONDITION]
    }


@pytest.mark.parametrize("missing", FAILURE)
def test_a_failure_with_a_part_missing_is_left_out(missing: str) -> None:
    partial = {name: value for name, value in FAILURE.items() if name != missing}
    assert read_status({"failures": [partial, FAILURE]}) == {"failures": [FAILURE]}
    assert read_status({"failures": [partial]}) == {}, "an empty list is none, as the operator writes it"


def test_only_objects_are_outputs() -> None:
    assert read_status({"outputs": [{"name": "a"}, "b"]}) == {"outputs": [{"name": "a"}]}
