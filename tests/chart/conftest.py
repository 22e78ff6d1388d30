"""Fixtures of the chart's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from chart.helm import Helm
from cluster.cache import default_cache
from cluster.go_groups import CHART_TOOLS
from cluster.lifecycle import build_besides
from crd.environment import api_client_fixture, environment_fixture  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def helm(environment: dict[str, str]) -> Helm:
    """Helm as the cluster's environment has it."""
    return Helm(environment)


@pytest.fixture(scope="session")
def chart_tools() -> Path:
    """The folder with kubeconform and helm-unittest, which are built on first use."""
    return build_besides(default_cache(), CHART_TOOLS)
