"""The operator with the rights that the chart gives it for one namespace, and no others."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bucket import Bucket
from chart.helm import Helm, of_kind
from chart.rights import granted, held
from kubectl import Kubectl
from local_operator import LocalOperator

pytestmark = [pytest.mark.e2e, pytest.mark.quick_worker]
Build = Callable[..., dict[str, Any]]

NAME = "one-namespace"
CHART_VALUES = (
    *("fullnameOverride=" + NAME, "crds.enabled=false"),
    *("rbac.aggregateToDefaultRoles=false", "admissionPolicy.enabled=false"),
)


@pytest.fixture
def neighbour(kubectl: Kubectl) -> Iterator[Kubectl]:
    """Use kubectl in a second namespace."""
    client = Kubectl(kubectl.environment, f"e2e-{secrets.token_hex(4)}")
    client.run("create", "namespace", client.namespace)
    yield client
    client.run("delete", "namespace", client.namespace, "--wait=false")


@pytest.fixture
def objects(kubectl: Kubectl) -> list[dict[str, Any]]:
    """Render the chart for the test's namespace."""
    values = [*CHART_VALUES, f"watchNamespaces={{{kubectl.namespace}}}"]
    options = [word for value in values for word in ("--set", value)]
    return Helm(dict(kubectl.environment)).objects(*options, namespace=kubectl.namespace)


@pytest.fixture
def account(kubectl: Kubectl, objects: list[dict[str, Any]], tmp_path: Path) -> Path:
    """Make the operator's account from the chart; gives its kubeconfig."""
    kinds = {each["kind"] for each in objects}
    assert kinds == {"ServiceAccount", "Role", "RoleBinding", "Deployment", "Service"}, (
        "anything else would be of the cluster"
    )
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        for manifest in of_kind(objects, kind):
            assert manifest["metadata"]["namespace"] == kubectl.namespace
            kubectl.apply(manifest)
    path = tmp_path / "account.kubeconfig"
    path.write_text(json.dumps(_kubeconfig(kubectl)))
    return path


def _kubeconfig(kubectl: Kubectl) -> dict[str, Any]:
    """Build a kubeconfig for the current cluster with a token of the account and nothing else."""
    current = json.loads(kubectl.run("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
    return {
        **current,
        "users": [{"name": NAME, "user": {"token": kubectl.run("create", "token", NAME).strip()}}],
        "contexts": [{"name": NAME, "context": {"cluster": current["clusters"][0]["name"], "user": NAME}}],
        "current-context": NAME,
    }


def _lease(objects: list[dict[str, Any]]) -> str:
    """Find the Lease that the chart lets the operator have."""
    (deployment,) = of_kind(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return next(str(each["value"]) for each in container["env"] if each["name"] == "SPLATS_LEASE")


def test_an_operator_of_one_namespace_works_there_and_cannot_look_elsewhere(
    kubectl: Kubectl,
    neighbour: Kubectl,
    objects: list[dict[str, Any]],
    account: Path,
    bucket: Bucket,
    compression: Build,
    small_scene: Path,
    tmp_path: Path,
) -> None:
    source = bucket.put("garden.ply", small_scene)
    with LocalOperator(kubectl, tmp_path, kubeconfig=account, SPLATS_LEASE=_lease(objects)) as operator:
        mine = {"managedBy": operator.controller, "gpu": {"count": 0}}
        neighbour.apply(compression("garden", source, **mine))
        kubectl.apply(compression("garden", source, deletionPolicy="Delete", **mine))
        kubectl.apply(compression("meadow", source, **{**mine, "gpu": {"count": 99}}))
        kubectl.finish("garden")
        kubectl.wait("splat", "meadow", "condition=Scheduled=false")
        kubectl.run("delete", "splat", "garden", "--timeout=60s")
        assert "out/garden.sog" not in bucket.names()
        log = operator.log()

    assert "phase" not in neighbour.get("splat", "garden")["status"]
    assert neighbour.list("jobs") == []
    user, environment = f"system:serviceaccount:{kubectl.namespace}:{NAME}", dict(kubectl.environment)
    assert held(environment, user, kubectl.namespace) == granted(objects, NAME, kubectl.namespace)
    assert held(environment, user, neighbour.namespace) == set()
    assert "forbidden" not in log.lower()
