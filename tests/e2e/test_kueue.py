"""The real Kueue and the operator on the same Jobs: each keeps its hands off what is the other's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from cluster.cache import default_cache
from e2e.kueue import MANAGED, Kueue, cluster_queue, flavor, local_queue, priority_class
from kubectl import Kubectl
from pages import manifests

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker, pytest.mark.alone]
Build = Callable[..., dict[str, Any]]
GROUP = "kueue.x-k8s.io"
QUEUE = f"{GROUP}/queue-name"
NO_ROOM = "insufficient unused quota for nvidia.com/gpu"


@pytest.fixture(scope="module")
def kueue(environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kueue]:
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("it would be installed into a cluster that may have its own")
    installed = Kueue(default_cache(), environment, tmp_path_factory.mktemp("kueue"))
    installed.install()
    yield installed
    installed.uninstall()


@pytest.fixture
def queues(kueue: Kueue, kubectl: Kubectl) -> Iterator[Callable[..., None]]:  # noqa: ARG001
    """Make the LocalQueue of a name with a quota of GPUs, in a namespace that Kueue looks at; or change the quota."""
    kubectl.run("label", "namespace", kubectl.namespace, *(f"{name}={value}" for name, value in MANAGED.items()))
    made = kubectl.namespace

    def make(name: str, *, gpus: int, **spec: Any) -> None:
        kubectl.apply(flavor(made))
        kubectl.apply(cluster_queue(made, gpus=gpus, **spec))
        kubectl.apply(local_queue(name, made))
        kubectl.wait("localqueue", name, "condition=Active")  # else Kueue may not know it when a Job comes

    yield make
    kubectl.run("delete", "splat,jobs", "--all", "--timeout=60s")
    kubectl.run("delete", "localqueues", "--all", "--timeout=60s")
    kubectl.run("delete", "clusterqueue,resourceflavor", made, "--ignore-not-found", "--timeout=60s")


def the_job(kubectl: Kubectl) -> dict[str, Any]:
    (job,) = kubectl.list("jobs")
    return job


def test_a_default_queue_that_is_full_holds_a_run_without_a_queue_and_its_job_stays(
    queues: Callable[..., None], kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    """Kueue gives a Job without the label that queue, and suspends it: neither is undone."""
    queues("default", gpus=0)
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene)))
    kubectl.finish("garden", "Queued")
    held = the_job(kubectl)
    assert (held["metadata"]["labels"][QUEUE], held["spec"]["suspend"]) == ("default", True)

    kubectl.patch("splat", "garden", {"spec": {"retries": 5}})
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
    assert kubectl.get("splat", "garden")["status"]["phase"] == "Queued"
    assert the_job(kubectl)["metadata"]["uid"] == held["metadata"]["uid"]

    queues("default", gpus=1)
    kubectl.finish("garden")
    assert the_job(kubectl)["metadata"]["uid"] == held["metadata"]["uid"]
    assert kubectl.reasons("garden")["JobCreated"] == 1
    assert kubectl.reasons("garden")["Recreated"] == 0


def test_of_three_runs_for_two_gpus_one_waits_and_follows(
    queues: Callable[..., None],
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    endless_scene: Path,
) -> None:
    queues("scenes", gpus=2)
    for name in ("first", "second"):
        kubectl.apply(compression(name, bucket.put(f"{name}.ply", endless_scene), queueName="scenes"))
        kubectl.finish(name, "Running")
    kubectl.apply(compression("third", bucket.put("third.ply", small_scene), queueName="scenes"))
    kubectl.finish("third", "Queued")
    kubectl.wait_for_words("third", NO_ROOM)
    kubectl.run("delete", "splat", "first")
    kubectl.finish("third")
    assert kubectl.get("splat", "second")["status"]["phase"] == "Running"


@pytest.fixture
def priorities(kueue: Kueue, kubectl: Kubectl) -> Iterator[tuple[str, str]]:  # noqa: ARG001
    """The names of a low and a high priority."""
    names = (f"{kubectl.namespace}-low", f"{kubectl.namespace}-high")
    for value, name in enumerate(names):
        kubectl.apply(priority_class(name, value))
    yield names
    kubectl.run("delete", "workloadpriorityclasses", *names)


def test_the_pages_manifests_run(
    kueue: Kueue,  # noqa: ARG001
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
) -> None:
    """As they are, but for the scene, its place and the worker that stands for the real one."""
    *settings, pasted = manifests("kueue.md")
    kubectl.run("label", "namespace", kubectl.namespace, *(f"{name}={value}" for name, value in MANAGED.items()))
    try:
        for body in settings:
            kubectl.apply(body)
        kubectl.wait("localqueue", "gpus", "condition=Active")
        resource = compression("garden", bucket.put("garden.ply", small_scene))
        kubectl.apply({**pasted, "spec": {**pasted["spec"], **resource["spec"]}})
        kubectl.finish("garden")
        labels = the_job(kubectl)["metadata"]["labels"]
        assert (labels[QUEUE], labels[f"{GROUP}/priority-class"]) == ("gpus", "urgent")
    finally:
        kubectl.run("delete", "splat,jobs,localqueues", "--all", "--timeout=60s")
        for body in reversed(settings):
            kubectl.run("delete", body["kind"], body["metadata"]["name"], "--ignore-not-found", "--timeout=60s")


def test_a_higher_priority_preempts_a_run_which_goes_on_later_and_loses_no_retry(
    queues: Callable[..., None],
    priorities: tuple[str, str],
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    endless_scene: Path,
) -> None:
    low, high = priorities
    queues("scenes", gpus=1, preemption={"withinClusterQueue": "LowerPriority"})
    several = {"queueName": "scenes", "retries": 0}
    kubectl.apply(compression("low", bucket.put("low.ply", endless_scene), **several, queuePriorityClassName=low))
    kubectl.finish("low", "Running")
    kubectl.apply(compression("high", bucket.put("high.ply", small_scene), **several, queuePriorityClassName=high))
    kubectl.finish("low", "Queued")
    kubectl.finish("high")
    status = kubectl.finish("low", "Running")["status"]
    assert "failures" not in status
    assert kubectl.reasons("low")["JobCreated"] == 1


def test_a_cluster_that_queues_every_job_holds_a_run_until_it_names_a_queue(
    kueue: Kueue,
    queues: Callable[..., None],
    kubectl: Kubectl,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
) -> None:
    """With manageJobsWithoutQueueName; the Job that deletes the outputs is held, too, and takes the same queue."""
    kueue.install(manageJobsWithoutQueueName=True)
    try:
        queues("scenes", gpus=1)
        source = bucket.put("garden.ply", small_scene)
        kubectl.apply(compression("garden", source, deletionPolicy="Delete"))
        kubectl.finish("garden", "Queued")
        held = the_job(kubectl)
        assert held["spec"]["suspend"] is True
        kubectl.patch("splat", "garden", {"spec": {"retries": 5}})
        kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=2")
        same = the_job(kubectl)
        assert (same["metadata"]["uid"], same["spec"]["suspend"]) == (held["metadata"]["uid"], True)

        kubectl.patch("splat", "garden", {"spec": {"queueName": "scenes"}})
        kubectl.finish("garden")
        kubectl.delete("splat", "garden")
        assert bucket.names() == {"garden.ply"}
    finally:
        kueue.install()
