"""The resource's status as a function of the verdict on its run and of what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from splat_operator.api.model import Action, Job, Observed, Pod, Progress, WriteStatus
from splat_operator.api.names import FAILED, SUCCEEDED, TERMINAL_PHASES
from splat_operator.api.times import format_duration, format_time, parse_time
from splat_operator.decide import conditions
from splat_operator.decide.conditions import UNKNOWN_SCHEDULED, Claim
from splat_operator.decide.events import transition
from splat_operator.decide.limits import fit
from splat_operator.decide.policies.failure import failures
from splat_operator.decide.policies.rerun import retry_on

Status = dict[str, Any]

RESULT_FIELDS = ("startTime", "completionTime", "duration", "progress", "failures")
"""What outlives the objects it was read from, for as long as the status speaks of the same Job."""


@dataclass(frozen=True)
class Verdict:
    """Where the run stands. `facts` are further fields of the status."""

    phase: str
    reason: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    is_passing: bool = False
    """Whether it says nothing that a person would read before the next one is true: then it is not written."""


def compose(observed: Observed, verdict: Verdict, *, job_name: str | None, job: Job | None, now: datetime) -> Status:
    """The whole status. `job_name` is the Job that it speaks of: None where the spec has none, so has no result."""
    resource = observed.resource
    before = resource.status if job_name and resource.status.get("jobName") == job_name else {}
    pods = [pod for pod in observed.pods if job and pod.job_uid == job.uid]
    claims = conditions.claims(
        phase=verdict.phase,
        reason=verdict.reason,
        message=verdict.message,
        scheduled=_scheduled(pods, before),
    )
    claims += conditions.shared_destination(resource.key, observed.same_destination)
    is_failed = verdict.phase == FAILED and job_name
    status = {
        "observedGeneration": resource.generation,
        "phase": verdict.phase,
        "conditions": _conditions(observed, claims, now),
        **({"jobName": job_name} if job_name else {}),
        **{name: before[name] for name in RESULT_FIELDS if name in before},
        **(_times(verdict, before, job, now) if job_name else {}),
        **_progress(observed.progress),
        **_failures(before, pods),
        **verdict.facts,
        **({"retryOn": retry_on(verdict.reason, resource.spec)} if is_failed else {}),
    }
    return fit(status)


def write(
    observed: Observed, verdict: Verdict, *, now: datetime, job_name: str | None = None, job: Job | None = None
) -> list[Action]:
    """The status that the verdict makes and what its change gives; see `compose` and `update`."""
    status = compose(observed, verdict, job_name=job_name, job=job, now=now)
    return [] if verdict.is_passing and _is_same_run(observed.resource.status, status) else update(observed, status)


def update(observed: Observed, status: Status) -> list[Action]:
    """The status and what its change gives; nothing where it is as it was."""
    before = observed.resource.status
    return [] if status == before else [WriteStatus(status), *transition(before, status)]


def acknowledge(observed: Observed, *, now: datetime) -> Status:
    """The status of a run that is over, for a later generation of the spec that asks for nothing else."""
    resource = observed.resource
    claims = [
        Claim(condition["type"], condition["status"], condition["reason"], condition["message"])
        for condition in resource.status["conditions"]
        if condition["type"] != conditions.SHARED
    ]
    return {
        **resource.status,
        "observedGeneration": resource.generation,
        "conditions": _conditions(
            observed, [*claims, *conditions.shared_destination(resource.key, observed.same_destination)], now
        ),
    }


def is_settled(status: Mapping[str, Any], job_name: str) -> bool:
    """Whether the status holds the outcome of exactly that Job, which is then never run again.

    Phase, conditions and times must agree: one of them alone may have been written by anybody.
    """
    phase = status.get("phase")
    is_true = {kind: conditions.find(status, kind).get("status") == "True" for kind in ("Ready", "Stalled")}
    return (
        phase in TERMINAL_PHASES
        and status.get("jobName") == job_name
        and "completionTime" in status
        and is_true == {"Ready": phase == SUCCEEDED, "Stalled": phase == FAILED}
        and conditions.find(status, "Reconciling").get("status") == "False"
        and bool(conditions.find(status, "Scheduled"))
    )


def _is_same_run(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether both statuses speak of one Job and one spec, as a whole and in every condition."""
    known = [condition["type"] for condition in before.get("conditions", [])]
    wanted = [condition["type"] for condition in after["conditions"]]
    same = ("observedGeneration", "jobName")
    return known == wanted and "phase" in before and all(before.get(name) == after.get(name) for name in same)


def _conditions(observed: Observed, claims: Iterable[Claim], now: datetime) -> list[dict[str, Any]]:
    resource = observed.resource
    old = resource.status.get("conditions", [])
    return conditions.merge(old, claims, now=now, observed_generation=resource.generation)


def _scheduled(pods: Iterable[Pod], before: Mapping[str, Any]) -> Claim:
    """What the youngest pod tells; without one, what an earlier look told."""
    pod = max(pods, key=lambda pod: pod.created_at, default=None)
    if pod is None:
        known = conditions.find(before, "Scheduled")
        return Claim("Scheduled", known["status"], known["reason"], known["message"]) if known else UNKNOWN_SCHEDULED
    if pod.unschedulable:
        return Claim("Scheduled", "False", *pod.unschedulable)
    return Claim("Scheduled", "True", "Scheduled") if pod.scheduled_at else UNKNOWN_SCHEDULED


def _times(verdict: Verdict, before: Mapping[str, Any], job: Job | None, now: datetime) -> Status:
    """Start and end of a run after the Job's own clock; an end that the Job does not tell is now."""
    started = (job.started_at if job else None) or parse_time(before.get("startTime"))
    times = {"startTime": format_time(started)} if started else {}
    if verdict.phase in TERMINAL_PHASES:
        ended = (job.finished_at if job else None) or now
        times["completionTime"] = format_time(ended)
        times |= {"duration": format_duration(ended - started)} if started else {}
    return times


def _progress(progress: Progress | None) -> Status:
    if progress is None:
        return {}
    eta = {} if progress.eta_s is None else {"etaSeconds": progress.eta_s}
    scenes_done, scenes_total = progress.scenes_done, progress.scenes_total
    return {
        "progress": {
            "percent": progress.percent,
            "stage": progress.stage,
            **eta,
            "scenesDone": scenes_done,
            "scenesTotal": scenes_total,
        }
    }


def _failures(before: Mapping[str, Any], pods: Iterable[Pod]) -> Status:
    entries = failures(before.get("failures", []), pods)
    return {"failures": entries} if entries else {}
