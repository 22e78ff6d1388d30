"""The cluster that tests run against: the embedded one, or with CLUSTER=current the one of the kube context."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

ROOT = Path(__file__).resolve().parents[2]


class NoClusterError(RuntimeError):
    """No cluster is up; `str(error)` is one sentence with the remedy."""


def cluster_environment() -> dict[str, str]:
    """Environment variables of this process with those of `cluster env` (PATH, KUBECONFIG...) on top.

    With CLUSTER=current it is this process's own. Raises NoClusterError.
    """
    if os.environ.get("CLUSTER") == "current":
        return dict(os.environ)
    command = [sys.executable, "-m", "cluster", "env"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    variables = _evaluate(answer.stdout)
    if answer.returncode != 0 or "KUBECONFIG" not in variables:
        raise NoClusterError("the embedded cluster is not up; start it with `make cluster` or set CLUSTER=current")
    return variables


def _evaluate(exports: str) -> dict[str, str]:
    """What a shell's environment is after these export lines."""
    script = f"{exports}\nenv -0"
    lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in lines.split("\0") if "=" in line)


@pytest.fixture(scope="session", name="environment")
def environment_fixture() -> dict[str, str]:
    """Environment for commands that talk to the cluster."""
    try:
        return cluster_environment()
    except NoClusterError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session", name="api_client")
def api_client_fixture(environment: dict[str, str]) -> Iterator[client.ApiClient]:
    """A client of the API server."""
    with config.new_client_from_config(environment.get("KUBECONFIG")) as made:
        yield made
