"""What the watches have told about the benchmark's namespace, counted. Nothing here asks the API server."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from benchmarks.errors import BenchmarkError

Json = Mapping[str, Any]

STALL_S = 330.0
"""Without any event for so long, what is waited for does not come: a watch of the operator's lasts five minutes."""


class Ledger:
    """Books of resources, their Jobs and their pods, by events in the order of their coming.

    Attributes:
        phases: of each resource, by its name; empty before it has one.
        counts: how many resources are in each phase.
        succeeded_at: when a resource's success was first seen, seconds of the benchmark's clock.
        job_at: when a resource's first Job was seen.
        jobs: UIDs of all Jobs that a resource has ever had.
        pods: UIDs of all pods that a Job has ever had, by its UID.
        lost_jobs: UIDs of Jobs that were deleted.
        failures: the words of resources that have failed.
    """

    def __init__(self) -> None:
        self.phases: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.succeeded_at: dict[str, float] = {}
        self.job_at: dict[str, float] = {}
        self.jobs: defaultdict[str, set[str]] = defaultdict(set)
        self.pods: defaultdict[str, set[str]] = defaultdict(set)
        self.lost_jobs: set[str] = set()
        self.failures: dict[str, str] = {}
        self._changed = asyncio.Event()

    def tell(self, kind: str, event: Json, now_s: float) -> None:
        """Enter an event of a kind, which is resources, jobs or pods."""
        meta = event["object"]["metadata"]
        if kind == "resources":
            self._enter_resource(meta["name"], event["object"].get("status") or {}, now_s)
        elif kind == "jobs":
            self._enter_job(meta, event["type"], now_s)
        else:
            self.pods[_owner(meta, "uid")].add(meta["uid"])
        self._changed.set()

    async def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait until an event makes it true.

        Raises:
            BenchmarkError: a resource fails, or nothing happens any more.
        """
        while not is_so():
            if self.failures:
                name, words = next(iter(self.failures.items()))
                raise BenchmarkError(f"{len(self.failures)} resources have failed, such as {name}: {words}")
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), STALL_S)
            except TimeoutError as error:
                raise BenchmarkError(f"{what}: nothing has happened for {STALL_S:.0f} s; {self.summary()}") from error

    def summary(self) -> str:
        """Say how many resources are in which phase."""
        counted = [f"{count:,} {phase or 'without a phase'}" for phase, count in sorted(self.counts.items()) if count]
        return ", ".join(counted) or "no resource is there"

    def _enter_resource(self, name: str, status: Json, now_s: float) -> None:
        phase = str(status.get("phase", ""))
        if name in self.phases:
            self.counts[self.phases[name]] -= 1
        self.phases[name] = phase
        self.counts[phase] += 1
        if phase == "Succeeded":
            self.succeeded_at.setdefault(name, now_s)
        elif phase == "Failed":
            ready = [each for each in status.get("conditions", []) if each["type"] == "Ready"]
            self.failures[name] = str(ready[0].get("message", "")) if ready else ""

    def _enter_job(self, meta: Json, event_type: str, now_s: float) -> None:
        owner = _owner(meta, "name")
        self.jobs[owner].add(meta["uid"])
        self.job_at.setdefault(owner, now_s)
        if event_type == "DELETED":
            self.lost_jobs.add(meta["uid"])


def find_faults(ledger: Ledger, names: Iterable[str]) -> list[str]:
    """Say in a sentence each what was lost or doubled: every resource succeeds with one Job, which has one pod."""
    expected = list(names)
    groups = {
        "did not succeed": [name for name in expected if ledger.phases.get(name) != "Succeeded"],
        "have no Job": [name for name in expected if not ledger.jobs.get(name)],
        "have more than one Job": [name for name in expected if len(ledger.jobs.get(name, ())) > 1],
        "have a Job that did not have one pod": [
            name for name in expected if any(len(ledger.pods.get(uid, ())) != 1 for uid in ledger.jobs.get(name, ()))
        ],
        "lost their Job": [name for name in expected if ledger.lost_jobs & ledger.jobs.get(name, set())],
        "have Jobs without having been made": sorted(set(ledger.jobs) - set(expected)),
    }
    return [f"{len(found)} resources {what}, such as {found[0]}" for what, found in groups.items() if found]


def _owner(meta: Json, field: str) -> str:
    owners = meta.get("ownerReferences") or [{}]
    return str(owners[0].get(field, ""))
