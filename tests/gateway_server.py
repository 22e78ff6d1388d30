"""A second real S3 server for tests: versitygw over a folder, into which files can be put behind its back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.cache import default_cache
from cluster.go_groups import GATEWAY
from cluster.lifecycle import build_besides
from s3_server import START_TIMEOUT_S, Identity, Server, free_ports


@dataclass(frozen=True)
class Gateway(Server):
    """A running server."""

    folder: Path
    """Has a folder for each bucket."""


@contextmanager
def running_gateway(folder: Path) -> Iterator[Gateway]:
    """Run a server over `folder` until the block ends; the first time it is built, which takes about a minute."""
    (port,) = free_ports(1)
    buckets = folder / "buckets"
    buckets.mkdir()
    gateway = Gateway(f"http://127.0.0.1:{port}", Identity("admin", ()), buckets)
    keys = {"ROOT_ACCESS_KEY": gateway.admin.access_key, "ROOT_SECRET_KEY": gateway.admin.secret_key}
    program = build_besides(default_cache(), GATEWAY) / "versitygw"
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--port", f"127.0.0.1:{port}", "posix", buckets],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, **keys},
        )
        try:
            wait_until_ready(gateway, process, folder / "gateway.log")
            yield gateway
        finally:
            process.kill()
            process.wait()


def wait_until_ready(gateway: Gateway, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until buckets can be made."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            gateway.new_bucket()
        except Exception as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not start:\n{log.read_text()[-3000:]}") from error
            time.sleep(0.1)
        else:
            return
