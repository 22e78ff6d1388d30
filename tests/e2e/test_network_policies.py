"""The chart's NetworkPolicies, enforced: what they list is reached, nothing else, and the work is done behind them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from chart.helm import CHART, Helm
from cluster.cache import default_cache
from cluster.progress import wait_until
from cluster.settings import API_PORT, NODE_IP, S3_PORT
from e2e.firewall import METADATA, Firewall, Outside
from e2e.release import Release
from kubectl import Kubectl
from local_operator import worker_settings

pytestmark = [pytest.mark.e2e, pytest.mark.alone]
Build = Callable[..., dict[str, Any]]

S3 = f"{NODE_IP}:{S3_PORT}"
LISTED, OTHER, CREDENTIALS = (f"{address}:{Outside.port}" for address in (Outside.listed, Outside.other, METADATA))
WORKER = {"app.kubernetes.io/name": "splat-worker", "app.kubernetes.io/managed-by": "splat-operator"}
CONNECT = """
import socket, sys
for place in sys.argv[1:]:
    host, port = place.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except OSError:
        continue
    print(place)
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("it would change the firewall of this machine, which need not be a node")
    with Outside(tmp_path_factory.mktemp("outside")) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def firewall(outside: Outside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # noqa: ARG001
    with Firewall(default_cache(), tmp_path_factory.mktemp("firewall")):
        yield


def started_pod(kubectl: Kubectl, name: str, **labels: str) -> str:
    """Start a pod that only waits to be asked."""
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "main",
        "image": worker_settings(kubectl)["SPLATS_WORKER_IMAGE"],
        "command": ["sleep", "600"],
        "securityContext": context,
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": security, "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "labels": labels}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    kubectl.wait("pod", name, "condition=Ready")
    return name


def reached(kubectl: Kubectl, pod: str, *places: str) -> set[str]:
    """Which of these addresses, each with a port, a pod can connect to."""
    return set(kubectl.run("exec", pod, "--", "python3", "-c", CONNECT, *places).split())


def allow(kubectl: Kubectl, *egress: dict[str, Any]) -> None:
    """Apply the chart's policy for workers, with these places listed."""
    wanted = json.dumps({"enabled": True, "egress": egress})
    values = ("--set", f"watchNamespaces={{{kubectl.namespace}}}", "--set-json", f"worker.networkPolicy={wanted}")
    template = ("--show-only", "templates/networkpolicy.yaml")
    (policy,) = Helm(dict(kubectl.environment)).objects(*template, *values, namespace=kubectl.namespace)
    kubectl.apply(policy)


def test_a_worker_reaches_what_is_listed_and_never_the_metadata(firewall: None, kubectl: Kubectl) -> None:  # noqa: ARG001
    everything = {S3, LISTED, OTHER, CREDENTIALS}
    worker = started_pod(kubectl, "worker", **WORKER)
    neighbour = started_pod(kubectl, "neighbour")
    assert reached(kubectl, worker, *everything) == everything

    def reaches(*expected: str) -> None:
        def check() -> bool:
            return reached(kubectl, worker, *everything) == set(expected)

        wait_until(f"reaching {', '.join(expected)} alone", check, timeout_s=60, hint="the policy is not enforced")

    allow(kubectl, {"cidr": f"{Outside.listed}/32", "ports": [Outside.port]})
    reaches(LISTED)
    allow(kubectl, {"cidr": f"{Outside.listed}/32", "ports": [1]}, {"cidr": f"{NODE_IP}/32", "ports": [S3_PORT]})
    reaches(S3)
    allow(kubectl, {"cidr": "0.0.0.0/0"})
    reaches(S3, LISTED, OTHER)
    assert reached(kubectl, neighbour, *everything) == everything, "the policy is of the workers"


def test_operator_and_worker_do_their_work_behind_their_policies(
    firewall: None,  # noqa: ARG001
    kubectl: Kubectl,
    release: Release,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    tmp_path: Path,
) -> None:
    policies = {
        "watchNamespaces": [kubectl.namespace],
        "admissionPolicy": {"enabled": False},
        "networkPolicy": {
            "enabled": True,
            "metricsFrom": [{"podSelector": {"matchLabels": {"scrapes": "yes"}}}],
            "apiServerPorts": [443, API_PORT],
        },
        "worker": {"networkPolicy": {"enabled": True, "egress": [{"cidr": f"{NODE_IP}/32", "ports": [S3_PORT]}]}},
    }
    values = tmp_path / "policies.json"
    values.write_text(json.dumps(policies))
    release.install(CHART, "--values", str(values))

    kubectl.apply(compression("garden", bucket.put("garden.ply", small_scene), managedBy=release.controller))
    kubectl.finish("garden")
    (operator,) = kubectl.list("pods", "--selector=app.kubernetes.io/name=splat-operator")
    metrics = f"{operator['status']['podIP']}:8081"
    started_pod(kubectl, "prometheus", scrapes="yes")
    started_pod(kubectl, "stranger")
    assert reached(kubectl, "prometheus", metrics) == {metrics}
    assert reached(kubectl, "stranger", metrics) == set()
