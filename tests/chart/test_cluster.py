"""What a real API server says to the chart's objects, and what it lets the operator's account do."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from kubernetes import client

from chart.helm import Helm

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


Applied = Callable[..., str]


@pytest.fixture
def applied(helm: Helm, environment: dict[str, str]) -> Iterator[Applied]:
    """A function that applies the chart's account and roles, and gives the account's user name."""
    manifests = []

    def apply(*options: str) -> str:
        name = f"test-{secrets.token_hex(4)}"
        templates = ("rbac", "aggregate-roles", "serviceaccount")
        only = [word for template in templates for word in ("--show-only", f"templates/{template}.yaml")]
        manifest = helm.template(*only, *options, release=name, namespace=NAMESPACE)
        manifests.append(manifest)
        _kubectl(environment, "apply", manifest=manifest)
        return f"system:serviceaccount:{NAMESPACE}:{name}-splat-operator"

    yield apply
    for manifest in manifests:
        _kubectl(environment, "delete", "--wait=false", manifest=manifest)


def _may(api: client.ApiClient, user: str, right: str, namespace: str) -> bool:
    """Whether `user` may do `right`, written as verb resource.group/subresource."""
    verb, what = right.split()
    resource, _, subresource = what.partition("/")
    resource, _, group = resource.partition(".")
    attributes = client.V1ResourceAttributes(
        verb=verb, group=group, resource=resource, subresource=subresource, namespace=namespace
    )
    spec = client.V1SubjectAccessReviewSpec(user=user, resource_attributes=attributes)
    review = client.V1SubjectAccessReview(spec=spec)
    return bool(client.AuthorizationV1Api(api).create_subject_access_review(review).status.allowed)


def _wait_until(question: Callable[[], bool]) -> None:
    """The authorizer learns of a binding a moment after it is made."""
    deadline = time.monotonic() + PATIENCE_S
    while not question():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s"
        time.sleep(0.1)


NEEDED = [
    *(f"{verb} splatcompressions.splats.dev" for verb in ("get", "list", "watch", "patch")),
    "patch splatcompressions.splats.dev/status",
    "update splatcompressions.splats.dev/finalizers",
    *(f"{verb} jobs.batch" for verb in ("list", "watch", "create", "patch", "delete")),
    *(f"{verb} pods" for verb in ("list", "watch")),
    "get pods/log",
    *(f"{verb} events" for verb in ("create", "list")),
]
NOT_NEEDED = [
    *(f"{verb} secrets" for verb in ("get", "list", "watch")),
    *(f"{verb} splatcompressions.splats.dev" for verb in ("create", "update", "delete")),
    *(f"{verb} pods" for verb in ("create", "delete", "patch")),
    "create pods/exec",
    "create serviceaccounts/token",
    *(f"{verb} nodes" for verb in ("get", "watch", "patch")),
    *(f"{verb} namespaces" for verb in ("list", "watch")),
    "list customresourcedefinitions.apiextensions.k8s.io",
    "deletecollection jobs.batch",
]


def test_account_may_do_what_it_needs_and_no_more(api_client: client.ApiClient, applied: Applied) -> None:
    user = applied()
    _wait_until(lambda: _may(api_client, user, NEEDED[0], OTHER_NAMESPACE))
    assert [right for right in NEEDED if not _may(api_client, user, right, NAMESPACE)] == []
    assert [right for right in NOT_NEEDED if _may(api_client, user, right, NAMESPACE)] == []


def test_account_of_some_namespaces_may_nothing_elsewhere(api_client: client.ApiClient, applied: Applied) -> None:
    user = applied("--set", f"watchNamespaces={{{NAMESPACE}}}")
    _wait_until(lambda: _may(api_client, user, NEEDED[0], NAMESPACE))
    assert [right for right in NEEDED if not _may(api_client, user, right, NAMESPACE)] == []
    assert [right for right in NOT_NEEDED + NEEDED if _may(api_client, user, right, OTHER_NAMESPACE)] == []


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
