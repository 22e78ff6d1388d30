"""What the benchmark puts into the cluster: its namespace, its nodes and its resources."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

RESOURCES = "/apis/splats.dev/v1alpha1/namespaces/{namespace}/splatcompressions"
JOBS = "/apis/batch/v1/namespaces/{namespace}/jobs"
PODS = "/api/v1/namespaces/{namespace}/pods"
EVENTS = "/api/v1/namespaces/{namespace}/events"
NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"

LABEL = "splats.dev/benchmark"
"""On namespaces and nodes of the benchmark; the value is the namespace's name."""
FAKE = "kwok.x-k8s.io/node"
"""kwok's own key for nodes that it plays; here their taint and the label that resources select."""

PODS_A_NODE = 500
"""Pods and GPUs. More than a real node has: each node renews a lease every 10 s, which is load of its own."""


def namespace(name: str) -> Json:
    """Build the namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: name}}}


def nodes_for(pods: int) -> int:
    """Return how many nodes have room for so many pods at a time."""
    return -(-pods // PODS_A_NODE)


def node(namespace: str, number: int, *, port: int) -> Json:
    """Build a node with room for PODS_A_NODE pods; nothing but the benchmark's pods tolerates it.

    `port` is that of this machine on which the API server asks for its pods' logs.
    """
    room = {"pods": str(PODS_A_NODE), "nvidia.com/gpu": str(PODS_A_NODE), "cpu": "10k", "memory": "100Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"{namespace}-{number}",
            "labels": {LABEL: namespace, FAKE: "fake", "kubernetes.io/os": "linux"},
            "annotations": {FAKE: "fake"},
        },
        "spec": {"taints": [{"key": FAKE, "value": "fake", "effect": "NoSchedule"}]},
        "status": {
            "capacity": room,
            "allocatable": room,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        },
    }


def resource(namespace: str, name: str) -> Json:
    """Build a SplatCompression for the fake nodes. Nobody reads its source: no worker runs."""
    return {
        "apiVersion": "splats.dev/v1alpha1",
        "kind": "SplatCompression",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"uri": f"s3://scenes/{name}.ply"},
            "destination": {"uri": "s3://scenes/compressed/"},
            "s3": {"endpoint": "http://s3.example:8333", "credentialsSecretRef": {"name": "s3-credentials"}},
            "gpu": {"count": 1},
            "nodeSelector": {LABEL: namespace},
            "tolerations": [{"key": FAKE, "operator": "Equal", "value": "fake", "effect": "NoSchedule"}],
        },
    }
