"""The GPU that the cluster has, and the end-to-end tests' namespaces, buckets and resources."""

from __future__ import annotations

import os
import subprocess

import pytest

from cluster import gpus
from cluster.cache import default_cache
from e2e.conftest import bucket, compression, environment, kubectl

__all__ = ["bucket", "compression", "environment", "gpu_name", "kubectl"]


@pytest.fixture(scope="session")
def gpu_name() -> str:
    """What the cluster's GPU calls itself; skips where the embedded cluster has no real one."""
    if os.environ.get("CLUSTER") == "current":
        if "GPU_NAME" not in os.environ:
            pytest.fail("GPU_NAME must be set to the name that nvidia-smi gives the nodes' GPU", pytrace=False)
        return os.environ["GPU_NAME"]
    name = _name_in_embedded()
    if not name:
        pytest.skip("the cluster has no real GPU: make test-gpu, see docs/gpu-cluster.md")
    return name


def _name_in_embedded() -> str | None:
    """By this machine's driver: its GPUs are the node's."""
    if not gpus.are_real(default_cache()):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    names = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    return names[0].strip()
