"""Kueue's Workloads, one for each Job that it manages: why it has not let the Job begin stands there alone.

What is read of them is the same in kueue.x-k8s.io/v1beta1 and v1beta2.
"""

from __future__ import annotations

from typing import Any

from splat_operator.api.model import Admission, Key
from splat_operator.api.spec import Json
from splat_operator.manifests.identity import resource_of

_CONDITIONS = ("QuotaReserved", "Admitted")
_WAITING_STATES = ("Pending", "Retry", "Rejected")


def key_of_workload(raw: Json) -> Key | None:
    """The resource that a Workload may be about, by the name of the Job that it is of; None where it is of no Job."""
    owner = _owner(raw)
    if owner.get("kind") != "Job" or not str(owner.get("apiVersion")).startswith("batch/"):
        return None
    name = resource_of(str(owner.get("name")))
    return Key(raw["metadata"]["namespace"], name) if name else None


def strip_workload(raw: Json) -> dict[str, Any]:
    """The part of its spec and status that is read."""
    status = raw.get("status") or {}
    conditions = [
        {name: item.get(name) for name in ("type", "status", "message")}
        for item in status.get("conditions") or []
        if item["type"] in _CONDITIONS
    ]
    checks = [{name: item.get(name) for name in ("name", "state", "message")} for item in _checks(status)]
    return {
        "spec": {"active": (raw.get("spec") or {}).get("active", True)},
        "status": {"conditions": conditions, "admissionChecks": checks},
    }


def parse_workload(raw: Json) -> Admission:
    """What Kueue says about a Job's admission; an empty message where it has said nothing yet."""
    return Admission(job_uid=str(_owner(raw).get("uid", "")), message=_message(raw))


def _message(raw: Json) -> str:
    conditions = {item["type"]: item for item in raw["status"]["conditions"]}
    reserved, admitted = conditions.get("QuotaReserved", {}), conditions.get("Admitted", {})
    if not raw["spec"]["active"]:
        return "the Workload is not active; set its spec.active to true"
    if reserved.get("status") == "True" and admitted.get("status") != "True":
        waiting = [check for check in _checks(raw["status"]) if check.get("state") in _WAITING_STATES]
        return "; ".join(f"admission check {check['name']}: {check.get('message') or 'pending'}" for check in waiting)
    return str(reserved.get("message") or "") if reserved.get("status") == "False" else ""


def _checks(status: Json) -> list[Any]:
    return list(status.get("admissionChecks") or [])


def _owner(raw: Json) -> Json:
    owners = raw["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})
