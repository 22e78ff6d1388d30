"""A copy of the CRD in a group of its own, on the real API server: same schema, no operator, nothing of the user's."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client import ApiException

from crd.environment import NoClusterError, cluster_environment
from crd.schema import merged, read_crd

NAMESPACE = "default"
ESTABLISH_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Cause:
    """Why the API server refused: the field, and its sentence about it."""

    field: str
    message: str


@dataclass(frozen=True)
class Resources:
    """The SplatCompressions of one API group."""

    api: client.CustomObjectsApi
    group: str

    def create(self, body: dict[str, Any], *, dry_run: bool = True) -> dict[str, Any]:
        """The resource as the API server stores it (or would). Unknown fields are errors, as with kubectl."""
        body = merged(body, {"apiVersion": f"{self.group}/v1alpha1"})
        arguments = (self.group, "v1alpha1", NAMESPACE, "splatcompressions", body)
        options = {"dry_run": "All"} if dry_run else {}
        return self.api.create_namespaced_custom_object(*arguments, field_validation="Strict", **options)

    def refusal(self, body: dict[str, Any]) -> list[Cause]:
        """The causes for which the API server refuses `body`; empty where it takes it."""
        try:
            self.create(body)
        except ApiException as error:
            status = json.loads(error.body)
            causes = status.get("details", {}).get("causes", [])
            return [Cause(cause["field"], cause["message"]) for cause in causes] or [Cause("", status["message"])]
        return []

    def patch_status(self, name: str, status: dict[str, Any]) -> None:
        arguments = (self.group, "v1alpha1", NAMESPACE, "splatcompressions", name, {"status": status})
        self.api.patch_namespaced_custom_object_status(*arguments, field_validation="Strict")

    def get(self, name: str) -> dict[str, Any]:
        return self.api.get_namespaced_custom_object(self.group, "v1alpha1", NAMESPACE, "splatcompressions", name)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """Environment for commands that talk to the cluster."""
    try:
        return cluster_environment()
    except NoClusterError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def api_client(environment: dict[str, str]) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(environment.get("KUBECONFIG")) as made:
        yield made


@pytest.fixture(scope="session")
def resources(api_client: client.ApiClient) -> Iterator[Resources]:
    """The resources of a group that only this session has; it goes with all that is in it."""
    crds = client.ApiextensionsV1Api(api_client)
    group = f"test-{secrets.token_hex(4)}.splats.dev"
    name = f"splatcompressions.{group}"
    crds.create_custom_resource_definition(merged(read_crd(), {"metadata": {"name": name}, "spec": {"group": group}}))
    try:
        yield _wait_until_served(Resources(client.CustomObjectsApi(api_client), group))
    finally:
        crds.delete_custom_resource_definition(name)


def _wait_until_served(resources: Resources) -> Resources:
    """The API server serves a new resource a moment after it has taken its definition."""
    deadline = time.monotonic() + ESTABLISH_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            resources.api.list_namespaced_custom_object(resources.group, "v1alpha1", NAMESPACE, "splatcompressions")
        except ApiException:
            time.sleep(0.1)
        else:
            return resources
    pytest.fail(f"the API server does not serve {resources.group} after {ESTABLISH_TIMEOUT_S:.0f} s", pytrace=False)
