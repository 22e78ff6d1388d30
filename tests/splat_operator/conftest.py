"""The flag that rewrites goldens."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden")


@pytest.fixture
def updates_golden(request: pytest.FixtureRequest) -> bool:
    # The flag exists only where this folder is named on the command line.
    return bool(request.config.getoption("--update-golden", default=False))
