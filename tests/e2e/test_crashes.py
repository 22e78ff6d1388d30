"""The operator is killed beside each of its writes and started again: nothing is done twice, nothing is left out.

What is killed sits behind a proxy that stops it either before a write reaches the API server, or after the API server
has answered and before the answer has come back.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api_proxy import ApiProxy, Write, let_pass
from bucket import Bucket
from cluster.progress import wait_until
from kubectl import Kubectl
from local_operator import TIMEOUT_S, LocalOperator
from scenes import made_scene

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker, pytest.mark.long]
Build = Callable[..., dict[str, Any]]

TIMES = ("startTime", "completionTime", "duration", "lastTransitionTime")
JOB, CLEANUP_JOB = "create Job", "create cleanup Job"
SUCCEEDED, SUCCEEDED_EVENT = "status Succeeded", "event Succeeded"
DELETED, DELETED_EVENT = "status OutputsDeleted", "event OutputsDeleted"
PASSES = "splat_operator_reconcile_total"
HELD = {"deletionPolicy": "Delete"}
NAMES = ("left", "right")
FINALIZER = "finalizers splats.dev/outputs"
GONE = "finalizers none"
CERTAIN = {
    *(JOB, "status Created", "event JobCreated", SUCCEEDED, SUCCEEDED_EVENT),
    *(FINALIZER, "delete Job", CLEANUP_JOB, DELETED, DELETED_EVENT, GONE),
}
"""What every run writes. How many of its other states are seen and written depends on time."""


@dataclass(frozen=True)
class Boundary:
    """A moment beside a write: the `nth` of those described as `what`, before it or after it."""

    what: str
    nth: int
    is_after: bool

    def __str__(self) -> str:
        return f"{'after' if self.is_after else 'before'} {self.what} #{self.nth}"


class Crash:
    """Kills the operator at a boundary of the writes about one resource; for ApiProxy.cuts_off.

    Attributes:
        has_struck: whether it has.
        done: what the operator had written of the resource until then.
    """

    def __init__(self, operator: LocalOperator, name: str, boundary: Boundary) -> None:
        self.has_struck = False
        self.done: Counter[str] = Counter()
        self._operator, self._name, self._boundary = operator, name, boundary
        self._begun: Counter[str] = Counter()

    def __call__(self, write: Write, code: int | None) -> bool:
        what = describe(write, self._name)
        if what is None or self.has_struck:
            return False
        (self._begun if code is None else self.done)[what] += code is None or code < 300
        if Boundary(what, self._begun[what], code is not None) != self._boundary:
            return False
        self._operator.kill()
        self.has_struck = True
        return True

    def had(self, what: str) -> bool:
        """Whether that was written before the crash."""
        return self.has_struck and self.done[what] > 0


def describe(write: Write, name: str) -> str | None:
    """Tell in two words what is written about the resource of that name; None where it is about another."""
    what = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}[write.method]
    kind, *path = write.path.partition("/namespaces/")[2].split("/")[1:]
    if kind == "splatcompressions" and path[0] == name:
        return _describe_patch(write.body)
    if kind == "events" and write.body["involvedObject"]["name"] == name:
        return f"event {write.body['reason']}"
    if kind != "jobs" or (path or [write.body["metadata"]["name"]])[0].rpartition("-")[0] != name:
        return None
    is_cleanup = not path and "splats.dev/cleanup-of" in write.body["metadata"]["labels"]
    return f"{what} {'cleanup Job' if is_cleanup else 'Job'}"


def _describe_patch(body: dict[str, Any]) -> str:
    if "status" not in body:
        return f"finalizers {' '.join(body['metadata']['finalizers']) or 'none'}"
    reasons = [each["reason"] for each in body["status"].get("conditions", []) if each["type"] == "Ready"]
    return f"status {reasons[0] if reasons else 'progress'}"


def boundaries(whats: Sequence[str]) -> list[Boundary]:
    """Both sides of each write, in the order of the writes."""
    seen: Counter[str] = Counter()
    found = []
    for what in whats:
        seen[what] += 1
        found += [Boundary(what, seen[what], is_after) for is_after in (False, True)]
    return found


def thinned(found: Sequence[Boundary]) -> list[Boundary]:
    """Both sides of what has effects, and one side in turn of the states that are only told."""
    return [each for place, each in enumerate(found) if each.what in CERTAIN or each.is_after == (place // 2 % 2 == 0)]


class Stage:
    """A namespace with an operator behind a proxy, and resources that it takes through their lives."""

    def __init__(
        self, kubectl: Kubectl, bucket: Bucket, build: Build, operator: LocalOperator, proxy: ApiProxy
    ) -> None:
        self.operator, self.proxy = operator, proxy
        self._kubectl, self._bucket, self._build = kubectl, bucket, build

    def apply(self, name: str, **spec: Any) -> None:
        """Apply a resource with a folder of its own for its outputs."""
        fixed = {
            "destination": {"uri": self._bucket.uri(f"out/{name}/")},
            "managedBy": self.operator.controller,
            "gpu": {"count": 0},
        }
        self._kubectl.apply(self._build(name, self._bucket.uri("garden.ply"), **fixed, **spec))

    def delete(self, name: str) -> None:
        """Ask for the resource's deletion."""
        self._kubectl.run("delete", "splat", name, "--wait=false")

    def strike(self, name: str, boundary: Boundary, act: Callable[[], None], last: str, until: str) -> Crash:
        """Act, kill the operator at the boundary and start it again, and wait until it has written `until` and rests.

        Nobody is killed where the `last` write comes and the boundary has not.
        """
        crash = self.proxy.cuts_off = Crash(self.operator, name, boundary)
        act()
        wait_until(
            f"{name}, {until}",
            lambda: crash.has_struck or last in self.written(name),
            timeout_s=TIMEOUT_S,
            hint=f"it was to crash {boundary}",
        )
        if crash.has_struck:
            self.operator.start()
            self.wait_for(name, until)
            self.operator.wait_for("A pass for each", self._has_passed)
        self.proxy.cuts_off = let_pass
        return crash

    def wait_for(self, name: str, until: str) -> None:
        """Wait for a write about the resource."""
        self.operator.wait_for(f"{name}, {until}", lambda: until in self.written(name))

    def written(self, name: str) -> list[str]:
        """Describe in order what the API server has taken about the resource."""
        whats = (describe(write, name) for write in self.proxy.writes if write.code and write.code < 300)
        return [what for what in whats if what]

    def finishes(self) -> float:
        """Count the finishes of whatever result in the running process's metrics."""
        return self._total("splat_compressions_finished_total")

    def reasons(self, name: str) -> Counter[str]:
        """Count the resource's Events by their reasons."""
        return self._kubectl.reasons(name)

    def pods(self, name: str) -> int:
        """Count the pods that are there of the resource."""
        return len(self._kubectl.list("pods", "--selector", f"splats.dev/compression={name}"))

    def outputs(self, name: str) -> set[str]:
        """List what the resource has published."""
        return {key for key in self._bucket.names() if key.startswith(f"out/{name}/")}

    def outcome(self, name: str) -> Any:
        """Read the resource's status without what differs from run to run."""
        status = self._kubectl.get("splat", name)["status"]
        text = json.dumps(_timeless({key: value for key, value in status.items() if key != "jobName"}))
        return json.loads(text.replace(name, "NAME"))

    def is_gone(self, name: str) -> bool:
        """Whether the resource is there no more."""
        return name not in [each["metadata"]["name"] for each in self._kubectl.list("splat")]

    def _has_passed(self) -> bool:
        """Whether the new process has had a pass for each of its resources."""
        all_of_them = self._kubectl.list("splat")
        own = [each for each in all_of_them if each["spec"]["managedBy"] == self.operator.controller]
        return self._total(PASSES) >= len(own)

    def _total(self, counter: str) -> float:
        return sum(value for (name, _), value in self.operator.metrics().items() if name == counter)


def _timeless(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _timeless(value) for name, value in part.items() if name not in TIMES}
    return [_timeless(each) for each in part] if isinstance(part, list) else part


@pytest.fixture
def stages(
    environment: dict[str, str], kubectl: Kubectl, bucket: Bucket, compression: Build, tmp_path: Path
) -> Iterator[list[Stage]]:
    """Have stages side by side in one namespace, with a scene that takes a moment."""
    bucket.put("garden.ply", made_scene(tmp_path / "garden.ply", 300))
    with contextlib.ExitStack() as context:
        found = []
        for name in NAMES:
            folder = tmp_path / name
            folder.mkdir()
            proxy = context.enter_context(ApiProxy(environment.get("KUBECONFIG")))
            operator = LocalOperator(kubectl, folder, kubeconfig=proxy.kubeconfig(folder), name=name)
            found.append(Stage(kubectl, bucket, compression, context.enter_context(operator), proxy))
        yield found


def test_a_run_survives_a_crash_beside_each_write(stages: list[Stage]) -> None:
    first = stages[0]
    first.apply("undisturbed")
    first.wait_for("undisturbed", SUCCEEDED_EVENT)
    outcome = first.outcome("undisturbed")
    cases = thinned(boundaries(first.written("undisturbed")))
    _crash_all(stages, cases, lambda stage, name, boundary: _crash_a_run(stage, name, boundary, outcome))


def _crash_a_run(stage: Stage, name: str, boundary: Boundary, outcome: Any) -> Crash:
    before = stage.finishes()
    crash = stage.strike(name, boundary, lambda: stage.apply(name), last=SUCCEEDED_EVENT, until=SUCCEEDED)
    told, counted = crash.had(SUCCEEDED_EVENT), crash.had(SUCCEEDED)
    reasons = stage.reasons(name)
    assert stage.written(name).count(JOB) == 1, boundary
    assert stage.pods(name) == 1, boundary
    assert stage.outcome(name) == outcome, boundary
    assert max(reasons.values(), default=0) <= 1, (boundary, reasons)
    assert set(reasons) <= {"JobCreated", "Started", "Succeeded"}, (boundary, reasons)
    # Events are posted beside the passes: one that was on its way between the status and the crash may have come.
    assert reasons["Succeeded"] == 1 or (counted and not told), boundary
    assert stage.finishes() == (0 if counted else 1 if crash.has_struck else before + 1), boundary
    return crash


def test_a_deletion_survives_a_crash_beside_each_write(stages: list[Stage]) -> None:
    first = stages[0]
    first.apply("undisturbed", **HELD)
    first.wait_for("undisturbed", SUCCEEDED_EVENT)
    life = len(first.written("undisturbed"))
    first.delete("undisturbed")
    first.wait_for("undisturbed", GONE)
    whats = first.written("undisturbed")
    assert whats[0] == FINALIZER
    # What lies between is the run, of which the test above is.
    cases = [
        each for each in thinned(boundaries(whats)) if each.what == FINALIZER or each in boundaries(whats)[2 * life :]
    ]
    _crash_all(stages, cases, _crash_a_deletion)


def _crash_a_deletion(stage: Stage, name: str, boundary: Boundary) -> Crash:
    if boundary.what == FINALIZER:
        crash = stage.strike(name, boundary, lambda: stage.apply(name, **HELD), last=SUCCEEDED, until=SUCCEEDED)
        stage.delete(name)
        stage.wait_for(name, GONE)
    else:
        stage.apply(name, **HELD)
        stage.wait_for(name, SUCCEEDED_EVENT)
        crash = stage.strike(name, boundary, lambda: stage.delete(name), last=GONE, until=GONE)
    _check_deletion(stage, name, boundary, crash)
    return crash


def _check_deletion(stage: Stage, name: str, boundary: Boundary, crash: Crash) -> None:
    writes, reasons = Counter(stage.written(name)), stage.reasons(name)
    assert stage.is_gone(name), boundary
    assert stage.outputs(name) == set(), boundary
    assert (writes[JOB], writes[CLEANUP_JOB], writes[FINALIZER]) == (1, 1, 1), boundary
    assert max(reasons.values(), default=0) <= 1, (boundary, reasons)
    assert set(reasons) <= {"JobCreated", "Started", "Succeeded", "OutputsDeleted"}, (boundary, reasons)
    is_untold = crash.had(DELETED) and not crash.had(DELETED_EVENT)
    assert reasons["OutputsDeleted"] == 1 or is_untold, boundary


def _crash_all(
    stages: Sequence[Stage], cases: Sequence[Boundary], crash_one: Callable[[Stage, str, Boundary], Crash]
) -> None:
    """Go through the cases, each stage its share; every certain write must be struck, others depend on time."""

    def go_through(place: int) -> list[Boundary]:
        share = list(enumerate(cases))[place :: len(stages)]
        crashes = [(each, crash_one(stages[place], f"run-{number}", each)) for number, each in share]
        return [each for each, crash in crashes if not crash.has_struck]

    with ThreadPoolExecutor(len(stages)) as pool:
        missed = [each for share in pool.map(go_through, range(len(stages))) for each in share]
    writes = {(each.what, each.nth) for each in cases}
    names = ", ".join(map(str, missed)) or "none"
    print(f"{len(cases) - len(missed)} crashes beside {len(writes)} writes; not met: {names}")
    assert not [each for each in missed if each.what in CERTAIN]
