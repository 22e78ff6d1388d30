"""Events tell of differences between two statuses, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from splat_operator.api.model import CountFinish, EmitEvent
from splat_operator.decide.events import transition


def status(phase: str, reason: str = "Why", job: str | None = "garden-1", **fields: Any) -> Mapping[str, Any]:
    ready = {"type": "Ready", "status": "False", "reason": reason, "message": f"{reason}, because."}
    return {"phase": phase, "conditions": [ready], **({"jobName": job} if job else {}), **fields}


FAILURE = {"pod": "garden-x", "reason": "IOError", "message": "Broken."}

CASES = {
    "first look": ({}, status("Pending", "Created"), ["JobCreated"]),
    "no change": (status("Pending"), status("Pending"), []),
    "start": (status("Pending", "Starting"), status("Running", "Running"), []),
    "start of the next attempt": (status("Pending", "Retrying"), status("Running", "Running"), []),
    "start after an obstacle": (status("Pending", "Unschedulable"), status("Running", "Running"), ["Started"]),
    "start after a queue": (status("Queued", "Queued"), status("Running", "Running"), ["Started"]),
    "start after a suspension": (status("Suspended", "Suspended"), status("Running", "Running"), ["Started"]),
    "seen for the first time": ({}, status("Running", "Running"), ["JobCreated", "Started"]),
    "too fast to be seen": (status("Pending", "Starting"), status("Running", "Finishing"), []),
    "obstacle": (status("Pending", "Starting"), status("Pending", "Unschedulable"), ["Unschedulable"]),
    "obstacle stays": (status("Pending", "Unschedulable"), status("Pending", "Unschedulable"), []),
    "another obstacle": (status("Pending", "Unschedulable"), status("Pending", "NoPod"), ["NoPod"]),
    "obstacle is gone": (status("Pending", "Unschedulable"), status("Pending", "Starting"), []),
    "suspended": (status("Running", "Running"), status("Suspended", "Suspended"), ["Suspended"]),
    "success": (status("Running"), status("Succeeded", "Succeeded"), ["Succeeded", "count Succeeded"]),
    "failure": (status("Running"), status("Failed", "BadInput"), ["Failed", "count BadInput"]),
    "failure with its attempt": (status("Running"), status("Failed", failures=[FAILURE]), ["Failed", "count Why"]),
    "attempt": (status("Running"), status("Pending", "Retrying", failures=[FAILURE]), ["AttemptFailed"]),
    "attempt that may be the last": (status("Running"), status("Running", "Finishing", failures=[FAILURE]), []),
    "known attempt": (status("Running", failures=[FAILURE]), status("Pending", "Retrying", failures=[FAILURE]), []),
    "next run": (status("Succeeded"), status("Pending", "Created", job="garden-2"), ["JobCreated"]),
    "next run fails": (status("Failed"), status("Failed", job="garden-2"), ["JobCreated", "count Why"]),
    "fails otherwise after an edit": (
        status("Failed", "NotAllowed", job=None),
        status("Failed", "PodNotRestricted", job=None),
        ["Failed"],
    ),
    "refused spec": ({}, status("Failed", "NotAllowed", job=None), ["Failed", "count NotAllowed"]),
    "spec still refused": (status("Failed", job=None), status("Failed", job=None), []),
    "queued": ({}, status("Queued", "Queued"), ["JobCreated", "Queued"]),
    "made again": (status("Running"), status("Pending", "Recreated"), ["Recreated"]),
    "dry run": ({}, status("Succeeded", "DryRun", job=None), ["DryRun"]),
    "being deleted": (status("Running"), status("Pending", "Deleting"), []),
    "outputs deleted": (status("Pending", "Deleting"), status("Pending", "OutputsDeleted"), ["OutputsDeleted"]),
    "outputs left, which is told later": (status("Pending", "Deleting"), status("Pending", "OutputsLeft"), []),
    "acknowledged": (status("Succeeded"), status("Succeeded", observedGeneration=2), []),
}


@pytest.mark.parametrize("case", CASES)
def test_transition(case: str) -> None:
    before, after, expected = CASES[case]
    told = [
        action.reason if isinstance(action, EmitEvent) else f"count {action.reason}"
        for action in transition(before, after)
    ]
    assert told == expected


def test_only_bad_news_are_warnings() -> None:
    kinds = {
        action.reason: action.type
        for before, after, _ in CASES.values()
        for action in transition(before, after)
        if not isinstance(action, CountFinish)
    }
    normal = {reason for reason, kind in kinds.items() if kind == "Normal"}
    news = {"JobCreated", "Queued", "Recreated", "Started", "Suspended", "Succeeded", "DryRun", "OutputsDeleted"}
    assert normal == news
