"""What the worker's tests share: a server of each kind for all that need one. Each finds the log's level as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gateway_server import Gateway
    from s3_server import S3Server


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    """Undo the --quiet of a command that runs in the tests' process."""
    logger = logging.getLogger("sogs_worker")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    from s3_server import running_server

    with running_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    from gateway_server import running_gateway

    with running_gateway(tmp_path_factory.mktemp("gateway")) as server:
        yield server
