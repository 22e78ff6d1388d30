"""Paths of the API that the operator uses."""

from __future__ import annotations

from splat_operator.api.model import Key
from splat_operator.api.names import GROUP, PLURAL, VERSION

RESOURCE_API = f"/apis/{GROUP}/{VERSION}"
NODES = "/api/v1/nodes"
JOBS, PODS, WORKLOADS = "jobs", "pods", "workloads"
APIS = {PLURAL: RESOURCE_API, JOBS: "/apis/batch/v1", PODS: "/api/v1"}
"""What is always watched, by the plural's name."""
QUEUE_GROUP = "kueue.x-k8s.io"
API_GROUPS = "/apis"


def collection(kind: str, namespace: str | None, *, api: str | None = None) -> str:
    """All objects of a watched kind, of one namespace or of the cluster; `api`: of a kind that is not always there."""
    return f"{api or APIS[kind]}/{f'namespaces/{namespace}/' if namespace else ''}{kind}"


def resource(key: Key) -> str:
    """The resource itself; its status is below."""
    return f"{collection(PLURAL, key.namespace)}/{key.name}"


def jobs(namespace: str) -> str:
    """All Jobs of a namespace; one of them is below, by its name."""
    return collection(JOBS, namespace)


def pods(namespace: str) -> str:
    """All pods of a namespace; one of them is below, by its name."""
    return collection(PODS, namespace)


def events(namespace: str) -> str:
    """All Events of a namespace."""
    return f"/api/v1/namespaces/{namespace}/events"


def kind_of(path: str) -> str:
    """The plural's name of what a path is about: `/apis/batch/v1/namespaces/default/jobs/a` is about `jobs`."""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        rest = rest[2:]
    return rest[0] if rest else "discovery"
