"""One S3 server for all of the worker's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from s3_server import S3Server, running_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_server(tmp_path_factory.mktemp("s3")) as server:
        yield server
