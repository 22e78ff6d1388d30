"""What is worth an Event: the difference between two statuses, so that a restart repeats none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from splat_operator.api.model import CountFinish, EmitEvent
from splat_operator.api.names import FAILED, PENDING, QUEUED, RUNNING, SUCCEEDED, SUSPENDED, TERMINAL_PHASES
from splat_operator.decide.conditions import Condition, find

Status = Mapping[str, Any]

FINISHING = "Finishing"
"""Reason of Running after the last pod has ended: a pod too fast to be seen running started without an Event."""

DRY_RUN = "DryRun"
"""Reason of Succeeded where nothing was to be run: no run has ended."""

_PHASE_EVENTS = {
    QUEUED: ("Normal", "Queued"),
    RUNNING: ("Normal", "Started"),
    SUSPENDED: ("Normal", "Suspended"),
    SUCCEEDED: ("Normal", "Succeeded"),
    FAILED: ("Warning", "Failed"),
}
_PLAIN_PENDING = ("Created", "Replacing", "WaitingForPod", "Starting", "Retrying", "Deleting", "OutputsLeft")
"""Reasons of Pending that are no news; any other is an obstacle and gets an Event of its own name."""
_GOOD_PENDING = ("Recreated", "OutputsDeleted")
"""Reasons of Pending that are news, but nothing to warn of."""


def transition(before: Status, after: Status) -> Iterator[EmitEvent | CountFinish]:
    """Events, and a finish to count, that the step from one status to the next gives."""
    ready = find(after, "Ready")
    if after.get("jobName") and after["jobName"] != before.get("jobName"):
        yield EmitEvent("Normal", "JobCreated", f"Job {after['jobName']} created.")
    if after["phase"] != FAILED and ready["reason"] != FINISHING:
        yield from _failed_attempts(before, after)
    if _is_new_obstacle(before, after, ready):
        yield EmitEvent("Normal" if ready["reason"] in _GOOD_PENDING else "Warning", ready["reason"], ready["message"])
    if ready["reason"] == DRY_RUN:
        yield EmitEvent("Normal", DRY_RUN, ready["message"])
        return
    is_news = after["phase"] != before.get("phase") or _fails_anew(before, after, ready)
    if after["phase"] == RUNNING and _has_hardly_waited(before):
        return
    if after["phase"] in _PHASE_EVENTS and is_news and ready["reason"] != FINISHING:
        kind, reason = _PHASE_EVENTS[after["phase"]]
        yield EmitEvent(kind, reason, ready["message"])
    if after["phase"] in TERMINAL_PHASES and _run(after) != _run(before):
        yield CountFinish(after["phase"], ready["reason"], after)


def _has_hardly_waited(before: Status) -> bool:
    """Whether a run begins that nothing was known to keep: that it is made and that it ends says as much."""
    return before.get("phase") == PENDING and find(before, "Ready").get("reason") in _PLAIN_PENDING


def _run(status: Status) -> tuple[Any, Any]:
    return status.get("phase"), status.get("jobName")


def _fails_anew(before: Status, after: Status, ready: Condition) -> bool:
    """Whether an edit has led from one failure to another."""
    return bool(after["phase"] == FAILED and find(before, "Ready").get("message") != ready["message"])


def _is_new_obstacle(before: Status, after: Status, ready: Condition) -> bool:
    is_obstacle = after["phase"] == PENDING and ready["reason"] not in _PLAIN_PENDING
    return is_obstacle and find(before, "Ready").get("reason") != ready["reason"]


def _failed_attempts(before: Status, after: Status) -> Iterator[EmitEvent]:
    """Attempts that are followed by another; the words of the last one are those of the event Failed."""
    known = {entry["pod"] for entry in before.get("failures", [])}
    for entry in after.get("failures", []):
        if entry["pod"] not in known:
            yield EmitEvent("Warning", "AttemptFailed", f"Pod {entry['pod']}: {entry['message']}")
