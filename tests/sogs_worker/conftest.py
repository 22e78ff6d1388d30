"""What the worker's tests share: a server of each kind for all that need one. Each finds logging as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sogs_worker.reporting.log import LineHandler
from sogs_worker.reporting.messages import TextFormatter

if TYPE_CHECKING:
    from gateway_server import Gateway
    from s3_server import S3Server


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Undo what a command in the tests' process sets: a level, and a handler for a stream that is closed afterwards."""
    root, logger = logging.getLogger(), logging.getLogger("sogs_worker")
    before = logger.level
    yield
    logger.setLevel(before)
    for handler in root.handlers[:]:
        if isinstance(handler, LineHandler) or isinstance(handler.formatter, TextFormatter):
            root.removeHandler(handler)


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
