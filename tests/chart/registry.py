"""A registry for OCI artifacts on a loopback port: Debian's docker-registry, unpacked into the cache."""

from __future__ import annotations

import http.client
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from cluster.cache import Cache, exclusive
from cluster.prerequisites import unpack_package
from cluster.progress import wait_until
from local_operator import free_port

TIMEOUT_S = 20


def find_registry(cache: Cache) -> Path:
    """The program; fetches its package on first use."""
    folder = cache.root / "debian" / "docker-registry"
    if not folder.exists():  # asked without the lock, which another holds for minutes while it builds
        with exclusive(cache):
            if not folder.exists():
                unpack_package("docker-registry", folder)
    return folder / "usr" / "bin" / "docker-registry"


@contextmanager
def running_registry(program: Path, folder: Path) -> Iterator[str]:
    """Serve what is in `folder` until the block ends; gives host and port."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    configuration = folder / "registry.yaml"
    configuration.write_text(yaml.safe_dump({"version": 0.1, "storage": storage, "http": {"addr": address}}))
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, "serve", configuration], stdout=output, stderr=output)
        try:
            wait_until("the registry", lambda: _answers(port), timeout_s=TIMEOUT_S, hint=f"its log is {log}")
            yield address
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
