"""Pods that leave their user to the cluster run as whatever it chooses, as on OpenShift."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from kubectl import Kubectl
from local_operator import LocalOperator

pytestmark = pytest.mark.e2e
Build = Callable[..., dict[str, Any]]

RANGE = 1000650000
CHOSEN = {"runAsUser": RANGE, "fsGroup": RANGE}
"""What OpenShift fills in where a pod names none, from the namespace's range; the group is the image's, or root's."""


def test_workers_run_as_the_user_that_the_cluster_chooses(
    kubectl: Kubectl, bucket: Bucket, compression: Build, small_scene: Path, tmp_path: Path
) -> None:
    source = bucket.put("garden.ply", small_scene)
    with LocalOperator(kubectl, tmp_path, SPLATS_WORKER_FIXED_USER="0") as operator:
        mine = {"managedBy": operator.controller, "gpu": {"count": 0}}
        kubectl.apply(compression("images-own", source, **mine))
        elsewhere = {
            "destination": {"uri": bucket.uri("chosen/")},
            "podTemplate": {"spec": {"securityContext": CHOSEN}},
        }
        kubectl.apply(compression("chosen", source, **mine, **elsewhere))
        for name in ("images-own", "chosen"):
            kubectl.finish(name)
    contexts = {
        pod["metadata"]["labels"]["splats.dev/compression"]: pod["spec"]["securityContext"]
        for pod in kubectl.list("pods")
    }
    assert contexts["images-own"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert contexts["chosen"] == contexts["images-own"] | CHOSEN
