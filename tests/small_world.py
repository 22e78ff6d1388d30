"""A cluster in memory, as far as the operator's promises need one: a resource, Jobs, pods, and who acts on them.

It stores what the API server would, as dictionaries, and behaves as the Job controller and the kubelet do. The
operator's passes run against it through the real parsing, decisions and patches.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from compressions import KEY, NOW, RESULT, SETTINGS, SPEC, UID, said
from splat_operator.cluster.executor import merge_patch
from splat_operator.model import (
    Action,
    CountFinish,
    CreateJob,
    DeleteJob,
    EmitEvent,
    Observed,
    PatchJob,
    Requeue,
    WriteStatus,
)
from splat_operator.names import EXIT_REASONS, PERMANENT_EXIT_CODES
from splat_operator.parsing import parse_job, parse_pod, parse_resource
from splat_operator.reconcile import reconcile
from splat_operator.times import format_time

Raw = dict[str, Any]


class World:
    """The objects, the clock, and a record of what the operator did."""

    def __init__(self, **spec: Any) -> None:
        self.now = NOW
        self.spec: Raw = {**copy.deepcopy(dict(SPEC)), **spec}
        self.generation = 1
        self.status: Raw = {}
        self.jobs: dict[str, Raw] = {}
        self.pods: list[Raw] = []
        self.created: list[str] = []
        self.events: Counter[str] = Counter()
        self.finishes: Counter[str] = Counter()
        self._serial = itertools.count(1)

    # What the operator does.

    def look(self) -> Observed:
        resource = parse_resource(
            {
                "metadata": {
                    "name": KEY.name,
                    "namespace": KEY.namespace,
                    "uid": UID,
                    "resourceVersion": "1",
                    "generation": self.generation,
                },
                "spec": copy.deepcopy(self.spec),
                "status": copy.deepcopy(self.status),
            }
        )
        jobs, pods = copy.deepcopy(list(self.jobs.values())), copy.deepcopy(self.pods)
        return Observed(resource, tuple(parse_job(job) for job in jobs), tuple(parse_pod(pod) for pod in pods))

    def decide(self) -> list[Action]:
        return reconcile(self.look(), now=self.now, settings=SETTINGS)

    def settle(self, limit: int = 20) -> None:
        """Passes until one has nothing to do."""
        for _ in range(limit):
            actions = [action for action in self.decide() if not isinstance(action, Requeue)]
            if not actions:
                return
            for action in actions:
                self.execute(action)
        raise AssertionError(f"the operator never rests: {actions}")

    def execute(self, action: Action) -> None:
        match action:
            case CreateJob(manifest):
                self._create_job(manifest)
            case DeleteJob(name, uid):
                assert self.jobs[name]["metadata"]["uid"] == uid
                self.delete_job(name)
            case PatchJob(name, fields):
                self.jobs[name]["spec"] = apply_patch(self.jobs[name]["spec"], fields)
            case WriteStatus(status):
                self.status = apply_patch(self.status, merge_patch(self.status, status))
                assert self.status == json.loads(json.dumps(status))
            case EmitEvent():
                self.events[action.reason] += 1
            case CountFinish():
                self.finishes[action.result] += 1

    def _create_job(self, manifest: Mapping[str, Any]) -> None:
        name = manifest["metadata"]["name"]
        if name in self.jobs:
            return
        assert not self.active_pods(), "two runs would write to one destination"
        self.created.append(name)
        job = copy.deepcopy(dict(manifest))
        job["metadata"] |= {"uid": f"job-{next(self._serial)}", "creationTimestamp": format_time(self.now)}
        job["status"] = {"startTime": format_time(self.now)}
        self.jobs[name] = job

    # What users do.

    def edit(self, **spec: Any) -> None:
        self.spec |= spec
        self.generation += 1

    def delete_job(self, name: str) -> None:
        """In the background: the Job is gone at once, its pods get a SIGTERM and stay until they have stopped."""
        job = self.jobs.pop(name)
        for pod in self._pods_of(job):
            pod["metadata"]["deletionTimestamp"] = format_time(self.now)

    # What time, the Job controller and the kubelet do.

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def make_pods(self) -> None:
        """The Job controller makes the next pod of each Job that wants one and stops those of a suspended one."""
        for job in self.jobs.values():
            active = [pod for pod in self._pods_of(job) if pod["status"]["phase"] in ("Pending", "Running")]
            if job["spec"].get("suspend"):
                self.pods = [pod for pod in self.pods if pod not in active]
            elif not active and not job["status"].get("conditions"):
                self.pods.append(self._new_pod(job))

    def start_pods(self) -> None:
        for pod in self.active_pods():
            if "deletionTimestamp" not in pod["metadata"]:
                pod["status"]["phase"] = "Running"
                self._container(pod)["state"] = {"running": {"startedAt": format_time(self.now)}}

    def end_pods(self, exit_code: int = 0) -> None:
        """Every running worker ends with that exit code."""
        reason = EXIT_REASONS.get(exit_code, "Internal")
        message = said(reason, "It broke.") if exit_code else json.dumps(RESULT)
        for pod in self.active_pods():
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]:
                pod["status"]["phase"] = "Failed" if exit_code else "Succeeded"
                ended = {"exitCode": exit_code, "message": message, "finishedAt": format_time(self.now)}
                self._container(pod)["state"] = {"terminated": ended}

    def remove_pods(self) -> None:
        """Pods under deletion are gone."""
        self.pods = [pod for pod in self.pods if "deletionTimestamp" not in pod["metadata"]]

    def judge_jobs(self) -> None:
        """The Job controller concludes."""
        for job in self.jobs.values():
            phases = Counter(pod["status"]["phase"] for pod in self._pods_of(job))
            codes = [self._exit_code(pod) for pod in self._pods_of(job)]
            job["status"]["failed"] = phases["Failed"]
            if job["status"].get("conditions"):
                continue
            if phases["Succeeded"]:
                self._conclude(job, "Complete")
            elif phases["Failed"] > job["spec"]["backoffLimit"] or set(codes) & set(PERMANENT_EXIT_CODES):
                self._conclude(job, "Failed")

    def expire_jobs(self) -> None:
        """The TTL controller deletes each finished Job that has a TTL, and its pods."""
        for name, job in list(self.jobs.items()):
            if job["status"].get("conditions") and job["spec"].get("ttlSecondsAfterFinished") is not None:
                self.delete_job(name)
                self.remove_pods()

    # Questions.

    def active_pods(self) -> list[Raw]:
        return [pod for pod in self.pods if pod["status"]["phase"] in ("Pending", "Running")]

    @property
    def phase(self) -> str:
        return str(self.status.get("phase"))

    def _pods_of(self, job: Raw) -> list[Raw]:
        return [pod for pod in self.pods if pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]]

    def _new_pod(self, job: Raw) -> Raw:
        name = f"{job['metadata']['name']}-{next(self._serial)}"
        owner = {"uid": job["metadata"]["uid"], "controller": True}
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": format_time(self.now)}
        return {
            "metadata": {"name": name, "creationTimestamp": format_time(self.now), "ownerReferences": [owner]},
            "status": {
                "phase": "Pending",
                "conditions": [scheduled],
                "containerStatuses": [{"name": "worker", "state": {"waiting": {"reason": "ContainerCreating"}}}],
            },
        }

    def _container(self, pod: Raw) -> Raw:
        container: Raw = pod["status"]["containerStatuses"][0]
        return container

    def _exit_code(self, pod: Raw) -> int | None:
        code: int | None = self._container(pod)["state"].get("terminated", {}).get("exitCode")
        return code

    def _conclude(self, job: Raw, kind: str) -> None:
        when = format_time(self.now)
        job["status"]["conditions"] = [{"type": kind, "status": "True", "lastTransitionTime": when, "reason": kind}]
        job["status"] |= {"completionTime": when} if kind == "Complete" else {}


def apply_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Raw:
    """JSON merge patch as the API server applies it."""
    result = dict(target)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = apply_patch(result[name], value)
        else:
            result[name] = value
    return json.loads(json.dumps(result))  # type: ignore[no-any-return]
