"""The conditions after kstatus: Ready, and the abnormal-true Reconciling and Stalled; Scheduled tells about the pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from splat_operator.api.model import Key
from splat_operator.api.names import FAILED, PENDING, QUEUED, RUNNING, SUCCEEDED
from splat_operator.api.times import format_time

Condition = Mapping[str, Any]

AS_EXPECTED = "AsExpected"
"""Reason of an abnormal-true condition that is False: the API wants one, and there is nothing to tell."""


@dataclass(frozen=True)
class Claim:
    """What a condition says, without its bookkeeping. `status` is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str = ""


SHARED = "DestinationShared"
"""There only where it is true: other resources write to the same object."""
UNKNOWN_SCHEDULED = Claim("Scheduled", "Unknown", "NoPod")


def claims(*, phase: str, reason: str, message: str, scheduled: Claim) -> list[Claim]:
    """The four claims that a phase makes; `reason` and `message` tell why it is so."""
    return [
        Claim("Ready", "True" if phase == SUCCEEDED else "False", reason, message),
        _abnormal("Reconciling", is_true=phase in (PENDING, QUEUED, RUNNING), reason=reason, message=message),
        _abnormal("Stalled", is_true=phase == FAILED, reason=reason, message=message),
        scheduled,
    ]


def shared_destination(key: Key, others: Sequence[Key]) -> list[Claim]:
    """The claim that others write to the object that `key` writes to; of other namespaces no name is given away."""
    if not others:
        return []
    near = [other.name for other in others if other.namespace == key.namespace]
    far = "" if len(near) == len(others) else f"{' and ' if near else ''}{len(others) - len(near)} of other namespaces"
    message = (
        f"Writes to the same object as {', '.join(near[:3])}{' and more' if len(near) > 3 else ''}{far}: what lies"
    )
    return [
        Claim(SHARED, "True", "SameObject", f"{message} there may be another's. Give each a destination of its own.")
    ]


def merge(
    old: Iterable[Condition], new: Iterable[Claim], *, now: datetime, observed_generation: int
) -> list[dict[str, Any]]:
    """Conditions that make the claims; lastTransitionTime moves only where a status changes."""
    before = {condition["type"]: condition for condition in old}
    return [
        {
            "type": claim.type,
            "status": claim.status,
            "reason": claim.reason,
            "message": claim.message,
            "observedGeneration": observed_generation,
            "lastTransitionTime": _transition_time(before.get(claim.type, {}), claim, now),
        }
        for claim in new
    ]


def find(status: Mapping[str, Any], condition_type: str) -> Condition:
    """The condition of that type, or an empty mapping."""
    return next((item for item in status.get("conditions", []) if item["type"] == condition_type), {})


def _abnormal(condition_type: str, *, is_true: bool, reason: str, message: str) -> Claim:
    return Claim(condition_type, "True", reason, message) if is_true else Claim(condition_type, "False", AS_EXPECTED)


def _transition_time(before: Condition, claim: Claim, now: datetime) -> str:
    return str(before["lastTransitionTime"]) if before.get("status") == claim.status else format_time(now)
