"""A deleted resource is gone soon, whatever it was doing, and its outputs go with it where that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]


def test_outputs_go_with_their_resource_and_those_of_others_stay(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    for name in ("garden", "hall"):
        source = bucket.put(f"{name}.ply", small_scene)
        kubectl.apply(compression(name, source, preview=True, deletionPolicy="Delete"))
    for name in ("garden", "hall"):
        kubectl.finish(name)
    sources, others = {"garden.ply", "hall.ply"}, {"out/hall.sog", "out/hall.png", "out/hall.manifest.json"}
    assert bucket.names() > sources | others

    kubectl.delete("splat", "garden")
    assert bucket.names() == sources | others
    kubectl.delete("splat", "hall", "--cascade=foreground")
    assert bucket.names() == sources
    assert kubectl.reasons("garden")["OutputsDeleted"] == kubectl.reasons("hall")["OutputsDeleted"] == 1


def test_resources_in_all_states_are_deleted_within_a_minute(
    kubectl: Kubectl, bucket: Bucket, compression: Build, endless_scene: Path
) -> None:
    """One of them has lost its Secret, so that no pod can delete its outputs: it goes without."""
    source = bucket.put("garden.ply", endless_scene)
    states: dict[str, tuple[str, dict[str, Any]]] = {
        "vast": ("Pending", {"gpu": {"count": 99}}),
        "queued": ("Queued", {"queueName": "scenes"}),
        "suspended": ("Suspended", {"suspend": True}),
        "keyless": ("Suspended", {"suspend": True}),
        "sourceless": ("Failed", {"source": {"uri": bucket.uri("nowhere.ply")}}),
        "running": ("Running", {}),  # last, so that it still does
    }
    for name, (phase, spec) in states.items():
        resource = compression(name, source, deletionPolicy="Delete")
        resource["spec"] |= spec
        if name == "keyless":
            resource["spec"]["s3"]["credentialsSecretRef"]["name"] = "lost"
        kubectl.apply(resource)
        kubectl.finish(name, phase)
    kubectl.wait_for_reason("vast", "Unschedulable")
    kubectl.run("delete", "splat", "--all", "--timeout=60s")
    assert bucket.names() == {"garden.ply"}
    kubectl.run("wait", "pods", "--selector=splats.dev/compression=keyless", "--for=delete", "--timeout=60s")
    assert kubectl.list("pods", "--field-selector=status.phase!=Succeeded") == []
    assert all("splats.dev/cleanup-of" in job["metadata"]["labels"] for job in kubectl.list("jobs"))
    assert {name: kubectl.reasons(name)["OutputsLeft"] for name in states} == dict.fromkeys(states, 0) | {"keyless": 1}


def test_a_changed_policy_holds_a_resource_or_lets_it_go(kubectl: Kubectl, bucket: Bucket, compression: Build) -> None:
    kubectl.apply(compression("garden", bucket.uri("garden.ply"), suspend=True))
    assert "finalizers" not in kubectl.finish("garden", "Suspended")["metadata"]
    kubectl.patch("splat", "garden", {"spec": {"deletionPolicy": "Delete"}})
    kubectl.wait("splat", "garden", "jsonpath={.metadata.finalizers[0]}=splats.dev/outputs")
    kubectl.patch("splat", "garden", {"spec": {"deletionPolicy": "Retain"}})
    kubectl.wait("splat", "garden", "jsonpath={.status.observedGeneration}=3")
    assert "finalizers" not in kubectl.get("splat", "garden")["metadata"]


def test_a_namespace_is_deleted_although_no_job_can_delete_the_outputs_there(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), deletionPolicy="Delete"))
    kubectl.finish("garden")
    kubectl.delete("namespace", kubectl.namespace)
    assert "out/garden.sog" in bucket.names()
