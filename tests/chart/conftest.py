"""Fixtures of the chart's tests."""

from __future__ import annotations

import pytest

from chart.helm import Helm
from crd.environment import api_client_fixture, environment_fixture  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def helm(environment: dict[str, str]) -> Helm:
    """Helm as the cluster's environment has it."""
    return Helm(environment)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files (pytest -m e2e tests/chart)")
