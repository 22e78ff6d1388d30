"""When a pod of the operator's counts as running, and what is said of one that does no more."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.operator import instance as instances
from benchmarks.operator.instance import Instance, find_instance

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def pod(name: str = "operator-1", *, state: dict[str, Any] | None = None, ready: bool = True, **meta: str) -> Any:
    containers = [{"containerID": f"containerd://id-of-{name}", "ready": ready, "state": state or RUNNING}]
    status = {"podIP": "10.244.0.2", "containerStatuses": containers}
    return {"metadata": {"name": name, "namespace": "splat-operator", **meta}, "status": status}


class Pods:
    """An API that tells of pods in their order, and then of nothing."""

    def __init__(self, *pods: Any) -> None:
        self._pods = pods

    async def follow(self, *_: str, **__: str) -> Any:
        for each in self._pods:
            yield {"type": "ADDED", "object": each}
        await asyncio.sleep(60)


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Give the processes of this machine's containers."""
    known = {"id-of-operator-1": 7, "id-of-operator-2": 8}
    monkeypatch.setattr(instances.proc, "find_container", known.get)
    monkeypatch.setattr(instances, "LIMIT_S", 0.05)
    return known


@pytest.mark.parametrize(
    "early",
    [
        pytest.param({**pod(), "status": {}}, id="nothing is known of it yet"),
        pytest.param(pod(state={"waiting": {"reason": "ContainerCreating"}}), id="its container is being made"),
        pytest.param(pod(ready=False), id="it does not answer yet"),
        pytest.param(pod(deletionTimestamp="2026-01-01T00:00:00Z"), id="it is being deleted"),
    ],
)
def test_it_waits_for_a_pod_that_is_ready(early: Any) -> None:
    found = asyncio.run(find_instance(Pods(early, pod("operator-2")), "splat-operator"))
    assert found == Instance("splat-operator", "operator-2", "10.244.0.2", 8)


def test_a_start_is_seen_before_the_pod_is_ready() -> None:
    old = Instance("splat-operator", "operator-1", "10.244.0.2", 7)
    api = Pods(pod(), pod("operator-2", ready=False))
    assert asyncio.run(find_instance(api, "splat-operator", after=old, is_ready=False)).pod == "operator-2"


def test_without_an_operator_it_says_what_to_do() -> None:
    with pytest.raises(BenchmarkError, match=r"No pod with .* in namespace nowhere .* \(make install\)"):
        asyncio.run(find_instance(Pods(), "nowhere"))


def test_an_operator_elsewhere_cannot_be_measured(processes: dict[str, int]) -> None:
    processes.clear()
    with pytest.raises(BenchmarkError, match="The process of pod operator-1 is not on this machine"):
        asyncio.run(find_instance(Pods(pod()), "splat-operator"))


def test_one_that_has_ended_is_told() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    gone = Instance("splat-operator", "operator-1", "10.244.0.2", process.pid)
    with pytest.raises(BenchmarkError, match=r"has ended during the run; kubectl .* describe pod operator-1 says why"):
        _ = gone.memory
