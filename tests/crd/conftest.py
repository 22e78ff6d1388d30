"""A copy of the CRD in a group of its own, on the real API server: same schema, no operator, nothing of the user's."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from crd.environment import api_client_fixture, environment_fixture  # noqa: F401 - fixtures
from crd.resources import NAMESPACE, Resources
from crd.schema import merged, read_crd

ESTABLISH_TIMEOUT_S = 30.0


@pytest.fixture(scope="session")
def resources(api_client: client.ApiClient) -> Iterator[Resources]:
    """The resources of a group that only this session has; it goes with all that is in it."""
    crds = client.ApiextensionsV1Api(api_client)
    group = f"test-{secrets.token_hex(4)}.splats.dev"
    name = f"splatcompressions.{group}"
    # Without short names: `kubectl get splat` must go on to mean the real one.
    names = {"shortNames": None, "categories": None}
    patch = {"metadata": {"name": name}, "spec": {"group": group, "names": names}}
    crds.create_custom_resource_definition(merged(read_crd(), patch))
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
