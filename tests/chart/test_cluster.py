"""What a real API server says to the chart's objects, and what it lets the operator's account do."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client

from chart.helm import CHART, Helm, HelmError
from chart.rights import granted, held

pytestmark = pytest.mark.e2e

NAMESPACE = "default"
OTHER_NAMESPACE = "kube-public"
PATIENCE_S = 20.0


def _kubectl(environment: dict[str, str], *arguments: str, manifest: str) -> str:
    command = ["kubectl", *arguments, "-f", "-"]
    answer = subprocess.run(command, env=environment, input=manifest, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="defaults"),
        pytest.param(("--set", "watchNamespaces={default}", "--set", "worker.cpuFallback=true"), id="one namespace"),
    ],
)
def test_api_server_takes_every_object(helm: Helm, environment: dict[str, str], options: tuple[str, ...]) -> None:
    name = f"test-{secrets.token_hex(4)}"
    manifest = helm.template(*options, release=name, namespace=NAMESPACE)
    answer = _kubectl(environment, "apply", "--server-side", "--force-conflicts", "--dry-run=server", manifest=manifest)
    assert f"deployment.apps/{name}-splat-operator serverside-applied (server dry run)" in answer
    assert "customresourcedefinition.apiextensions.k8s.io/splatcompressions.splats.dev" in answer


def test_election_can_be_turned_off_and_on(helm: Helm, environment: dict[str, str]) -> None:
    """The API server keeps what it has filled in, and refuses it with another strategy."""
    name = f"test-{secrets.token_hex(4)}"
    only = ("--show-only", "templates/deployment.yaml", "--set", "replicas=0", "--set")
    on, off = (
        helm.template(*only, f"leaderElection.enabled={value}", release=name, namespace=NAMESPACE)
        for value in ("true", "false")
    )
    try:
        for manifest in (on, off, on):
            _kubectl(environment, "apply", "--server-side", manifest=manifest)
    finally:
        _kubectl(environment, "delete", "--wait=false", manifest=on)


def test_the_crd_of_another_release_is_taken_only_where_that_is_asked_for(helm: Helm) -> None:
    second = ("install", f"test-{secrets.token_hex(4)}", str(CHART), "--namespace", NAMESPACE, "--dry-run=server")
    with pytest.raises(HelmError) as refusal:
        helm.run(*second)
    for words in ('"splatcompressions.splats.dev"', "exists and cannot be imported", "invalid ownership metadata"):
        assert words in str(refusal.value)
    for option in ("--take-ownership", "--set=crds.enabled=false"):
        assert "kind: Deployment" in helm.run(*second, option)


Applied = Callable[..., tuple[list[dict[str, Any]], str]]


@pytest.fixture
def applied(helm: Helm, environment: dict[str, str]) -> Iterator[Applied]:
    """A function that applies the chart's account and roles; returns them and the account's user name."""
    manifests = []

    def apply(*options: str) -> tuple[list[dict[str, Any]], str]:
        name = f"test-{secrets.token_hex(4)}"
        templates = ("rbac", "aggregate-roles", "serviceaccount")
        only = [word for template in templates for word in ("--show-only", f"templates/{template}.yaml")]
        manifest = helm.template(*only, *options, release=name, namespace=NAMESPACE)
        manifests.append(manifest)
        _kubectl(environment, "apply", manifest=manifest)
        objects = [body for body in yaml.safe_load_all(manifest) if body]
        return objects, f"system:serviceaccount:{NAMESPACE}:{name}-splat-operator"

    yield apply
    for manifest in manifests:
        _kubectl(environment, "delete", "--wait=false", manifest=manifest)


def _wait_until(question: Callable[[], bool]) -> None:
    """The authorizer learns of a binding a moment after it is made."""
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s"
        time.sleep(0.1)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="whole cluster"),
        pytest.param(("--set", f"watchNamespaces={{{NAMESPACE}}}"), id="one namespace"),
        pytest.param(("--set", "leaderElection.enabled=false"), id="no election"),
    ],
)
def test_account_has_the_rights_of_the_chart_and_no_more(
    environment: dict[str, str], applied: Applied, options: tuple[str, ...]
) -> None:
    objects, user = applied(*options)
    account = user.rpartition(":")[2]
    for namespace in (NAMESPACE, OTHER_NAMESPACE):
        expected = granted(objects, account, namespace)
        _wait_until(lambda namespace=namespace, expected=expected: held(environment, user, namespace) == expected)


@pytest.mark.parametrize(
    ("role", "rights", "others"),
    [
        ("view", ["get", "list", "watch"], ["create", "delete"]),
        ("edit", ["get", "list", "watch", "create", "update", "patch", "delete"], []),
        ("admin", ["get", "create", "delete"], []),
    ],
)
def test_default_roles_get_the_rights(
    api_client: client.ApiClient, applied: Applied, role: str, rights: list[str], others: list[str]
) -> None:
    """Through the controller that aggregates ClusterRoles."""
    applied()
    api = client.RbacAuthorizationV1Api(api_client)

    def verbs() -> set[str]:
        rules = [rule for rule in api.read_cluster_role(role).rules if rule.resources == ["splatcompressions"]]
        return {verb for rule in rules for verb in rule.verbs}

    _wait_until(lambda: set(rights) <= verbs())
    assert verbs().isdisjoint(others)
