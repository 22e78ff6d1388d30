"""What spec.podTemplate adds arrives at the pod, within the Pod Security profile restricted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl, KubectlError, condition
from local_operator import LocalOperator

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]
LEAVING = {"spec": {"hostNetwork": True}}


def test_a_pod_has_what_the_template_adds_and_all_that_it_had(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path
) -> None:
    added = {
        "metadata": {"labels": {"team": "scans"}, "annotations": {"example.com/cost": "42"}},
        "spec": {"containers": [{"name": "worker", "env": [{"name": "SCANNER", "value": "north"}]}]},
    }
    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), podTemplate=added))
    kubectl.finish("garden")
    (pod,) = kubectl.list("pods", "--selector=team=scans,splats.dev/compression=garden")
    assert pod["metadata"]["annotations"]["example.com/cost"] == "42"
    (container,) = pod["spec"]["containers"]
    assert {"name": "SCANNER", "value": "north"} in container["env"]


def test_a_template_that_leaves_the_profile_is_refused_when_it_is_applied(
    kubectl: Kubectl, bucket: Bucket, compression: Build
) -> None:
    """By the installed chart's admission policy."""
    with pytest.raises(KubectlError, match=r"leaves the Pod Security profile restricted: hostNetwork, hostPID"):
        kubectl.apply(compression("garden", bucket.uri("garden.ply"), podTemplate=LEAVING))


def test_a_template_that_leaves_the_profile_is_refused_before_any_job(
    kubectl: Kubectl, bucket: Bucket, compression: Build, tmp_path: Path
) -> None:
    """By the operator, where no such policy is or one that does not see it."""
    with LocalOperator(kubectl, tmp_path) as operator:
        mine = compression("garden", bucket.uri("garden.ply"), podTemplate=LEAVING, managedBy=operator.controller)
        kubectl.apply(mine)
        stalled = condition(kubectl.finish("garden", "Failed"), "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "PodNotRestricted")
    assert "hostNetwork" in stalled["message"]
    assert stalled["message"] in kubectl.run("describe", "splat", "garden")
    assert kubectl.list("jobs") == []
