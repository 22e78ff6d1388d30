"""The GPU that the cluster has, and the end-to-end tests' namespaces, buckets and resources."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest

from cluster import gpus
from cluster.cache import default_cache
from e2e.conftest import bucket, compression, environment, kubectl
from kubectl import Kubectl

__all__ = ["bucket", "compression", "environment", "gpu_name", "kubectl"]


@pytest.fixture(scope="session")
def gpu_name(environment: Mapping[str, str]) -> str:
    """What the cluster's GPU calls itself; skips where no node has a real one."""
    name = _name_in_current(environment) if os.environ.get("CLUSTER") == "current" else _name_in_embedded()
    if not name:
        pytest.skip(
            "the cluster has no real GPU: make test-gpu, or CLUSTER=current and GPU_NAME, see docs/gpu-cluster.md"
        )
    return name


def _name_in_embedded() -> str | None:
    """By this machine's driver: its GPUs are the node's."""
    if not gpus.are_real(default_cache()):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    return names[0].strip()


def _name_in_current(environment: Mapping[str, str]) -> str | None:
    """By GPU_NAME, or by the label that NVIDIA's GPU feature discovery gives a node, which has no spaces."""
    if "GPU_NAME" in os.environ:
        return os.environ["GPU_NAME"]
    nodes = Kubectl(environment, "default").list("nodes")
    labels = [node["metadata"]["labels"].get("nvidia.com/gpu.product") for node in nodes]
    return next((label.replace("-", " ") for label in labels if label), None)
