"""Our verdict on pods is that of the API server's Pod Security admission, or stricter where that depends on its age."""

from __future__ import annotations

import json
import random
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from kubernetes import client

from restricted_pods import CASES, Case, edited, random_edits
from splat_operator.decide.policies.restricted import violations

pytestmark = pytest.mark.e2e

SEEDS = range(150)
SERVICE_ACCOUNT_TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def namespace(api_client: client.ApiClient) -> Iterator[str]:
    """A namespace that enforces the profile, with the service account that all pods of it get."""
    core, name = client.CoreV1Api(api_client), f"restricted-{secrets.token_hex(4)}"
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
    }
    core.create_namespace({"metadata": {"name": name, "labels": labels}})
    try:
        _wait_for_service_account(core, name)
        yield name
    finally:
        core.delete_namespace(name)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdict(api_client: client.ApiClient, namespace: str, case: Case) -> None:
    answer = _is_restricted(api_client, namespace, case.spec, dict(case.annotations))
    assert answer == (case.is_stricter or not case.phrases if case.is_valid else None)


def test_verdict_on_random_pods(api_client: client.ApiClient, namespace: str) -> None:
    answers = []
    for seed in SEEDS:
        edits = random_edits(random.Random(seed))  # noqa: S311 - for tests
        phrases, answer = violations(edited(edits)), _is_restricted(api_client, namespace, edited(edits))
        assert answer in (None, not phrases), (edits, phrases)
        answers.append(answer)
    assert min(answers.count(True), answers.count(False)) > 20


def _is_restricted(
    api_client: client.ApiClient, namespace: str, spec: Mapping[str, Any], annotations: Mapping[str, str] | None = None
) -> bool | None:
    """Whether Pod Security admission lets the pod in; None where it is never asked, the pod being none."""
    # Not through the client's own method, whose models refuse what the API server should.
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": annotations}, "spec": spec}
    method, url, headers, body, _ = api_client.param_serialize(
        "POST",
        f"/api/v1/namespaces/{namespace}/pods",
        query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
        header_params={"Content-Type": "application/json"},
        body=pod,
        auth_settings=["BearerToken"],
    )
    response = api_client.call_api(method, url, headers, body)
    words = json.loads(response.read())
    if response.status == 403 and "violates PodSecurity" in words["message"]:
        return False
    return {201: True, 400: None, 422: None}[response.status]


def _wait_for_service_account(core: client.CoreV1Api, namespace: str) -> None:
    deadline = time.monotonic() + SERVICE_ACCOUNT_TIMEOUT_S
    while time.monotonic() < deadline:
        if core.list_namespaced_service_account(namespace, field_selector="metadata.name=default").items:
            return
        time.sleep(0.1)
    pytest.fail(f"namespace {namespace} has no service account after {SERVICE_ACCOUNT_TIMEOUT_S:.0f} s", pytrace=False)
