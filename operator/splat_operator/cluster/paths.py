"""Paths of the API that the operator uses."""

from __future__ import annotations

from splat_operator.api.model import Key
from splat_operator.api.names import GROUP, PLURAL, VERSION

NODES = "/api/v1/nodes"
RESOURCE_API = f"/apis/{GROUP}/{VERSION}"


def resource(key: Key) -> str:
    """The resource itself; its status is below."""
    return f"{RESOURCE_API}/namespaces/{key.namespace}/{PLURAL}/{key.name}"


def jobs(namespace: str) -> str:
    """All Jobs of a namespace; one of them is below, by its name."""
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"


def pods(namespace: str) -> str:
    """All pods of a namespace; one of them is below, by its name."""
    return f"/api/v1/namespaces/{namespace}/pods"


def events(namespace: str) -> str:
    """All Events of a namespace."""
    return f"/api/v1/namespaces/{namespace}/events"
