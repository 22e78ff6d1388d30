"""The programs, and the end-to-end tests' namespaces, buckets and resources."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from chart.helm import Helm
from cluster.cache import default_cache
from cluster.go_groups import METRICS
from cluster.lifecycle import build_besides
from e2e.conftest import bucket, compression, environment, kubectl, small_scene

# For benchmarks.plots, whose style the picture has.
sys.path.append(str(Path(__file__).parents[2]))

__all__ = ["bucket", "compression", "environment", "kubectl", "small_scene"]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder that has prometheus and promtool."""
    return build_besides(default_cache(), METRICS)


@pytest.fixture(scope="session")
def helm(environment: dict[str, str]) -> Helm:
    """Helm as the cluster's environment has it."""
    return Helm(environment)
