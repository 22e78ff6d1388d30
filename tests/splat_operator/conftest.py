"""The flag that rewrites goldens, and property tests that a busy machine does not fail."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden")


@pytest.fixture
def updates_golden(request: pytest.FixtureRequest) -> bool:
    # The flag exists only where this folder is named on the command line.
    return bool(request.config.getoption("--update-golden", default=False))
