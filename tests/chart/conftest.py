"""Fixtures of the chart's tests."""

from __future__ import annotations

import pytest

from chart.helm import Helm
from crd.environment import api_client_fixture, environment_fixture  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def helm(environment: dict[str, str]) -> Helm:
    """Helm as the cluster's environment has it."""
    return Helm(environment)
