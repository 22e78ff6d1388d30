"""The running embedded cluster with the probe's image, and a namespace for each test."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from cluster.cache import Cache, default_cache
from cluster.container_runtime import load_image
from cluster.environment import variables
from cluster.oci import write_program_image
from cluster.readiness import is_healthy
from embedded_cluster.probes import PROBE_IMAGE
from kubectl import Kubectl


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """The cache of the running cluster."""
    if os.environ.get("CLUSTER") == "current":
        pytest.skip("these tests are of the embedded cluster itself")
    found = default_cache()
    if not is_healthy(found):
        pytest.fail("The embedded cluster does not run: start it first (make cluster).", pytrace=False)
    archive = tmp_path_factory.mktemp("images") / "probe.tar"
    write_program_image(archive, name=PROBE_IMAGE, program=found.bin / "probe")
    load_image(found, archive)
    return found


@pytest.fixture(scope="session")
def environment(cache: Cache) -> dict[str, str]:
    """What a shell has after `cluster env`."""
    return {**os.environ, **variables(cache), "PATH": f"{cache.bin}:{os.environ['PATH']}"}


@pytest.fixture
def kubectl(environment: dict[str, str]) -> Iterator[Kubectl]:
    """A namespace that pods can be made in."""
    client = Kubectl(environment, f"probe-{secrets.token_hex(4)}")
    client.run("create", "namespace", client.namespace)
    client.wait("serviceaccount", "default", "create", 20)
    yield client
    client.run("delete", "namespace", client.namespace, "--wait=false")
