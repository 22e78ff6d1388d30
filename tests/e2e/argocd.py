"""The real Argo CD: its repository server and its application controller as processes of this machine, and a Redis."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from cluster.cache import Cache, exclusive
from cluster.go_groups import GITOPS
from cluster.lifecycle import build_besides
from cluster.prerequisites import install_package
from cluster.progress import wait_until
from kubectl import Kubectl, KubectlError
from s3_server import free_ports

APPLICATIONS = "applications.argoproj.io"
REFRESH = "argocd.argoproj.io/refresh"
START_TIMEOUT_S = 60
TIMEOUT_S = 90
ASK_AFTER_S = 5
"""By itself Argo CD looks every two minutes for what it has missed, such as a CRD established while it lists."""
PART_OF = {"app.kubernetes.io/part-of": "argocd"}
"""Label without which Argo CD does not see its own settings."""


class ArgoCD:
    """An installation in a namespace of its own, which also has its Applications.

    Args:
        kubectl: of that namespace, which exists.
    """

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def apply(self, application: Mapping[str, Any]) -> str:
        """Apply an Application and return its name."""
        metadata = {**application["metadata"], "namespace": self.kubectl.namespace}
        self.kubectl.apply({**application, "metadata": metadata})
        return str(metadata["name"])

    def get(self, name: str) -> dict[str, Any]:
        """Read an Application."""
        return self.kubectl.get(APPLICATIONS, name)

    def refresh(self, name: str, *, hard: bool = False) -> dict[str, Any]:
        """Have Argo CD compare an Application with its repository now, and read it.

        Args:
            name: of the Application.
            hard: Whether the manifests are made anew, too.
        """
        kind = "hard" if hard else "normal"
        self.kubectl.run("annotate", APPLICATIONS, name, f"{REFRESH}={kind}", "--overwrite")

        def is_over() -> bool:
            return REFRESH not in self.get(name)["metadata"].get("annotations", {})

        wait_until(f"The comparison of {name}", is_over, timeout_s=TIMEOUT_S, hint="it may be busy", poll_s=0.3)
        return self.get(name)

    def wait(self, name: str, *, health: str, revision: str) -> None:
        """Wait until an Application is synced to a revision, with nothing left to do, and in that health."""
        expected = {"sync": "Synced", "revision": revision, "health": health, "operation": "Succeeded"}
        give_up_at, ask_at = time.monotonic() + TIMEOUT_S, time.monotonic() + ASK_AFTER_S
        while (seen := _summary(status := self.get(name).get("status", {}))) != expected:
            assert time.monotonic() < give_up_at, f"{name} is {seen} instead of {expected}:\n{yaml.safe_dump(status)}"
            if time.monotonic() > ask_at:
                self.refresh(name)
                ask_at = time.monotonic() + ASK_AFTER_S
            time.sleep(0.5)


def _summary(status: Mapping[str, Any]) -> dict[str, str | None]:
    sync, operation = status.get("sync", {}), status.get("operationState", {})
    return {
        "sync": sync.get("status"),
        "revision": sync.get("revision"),
        "health": status.get("health", {}).get("status"),
        "operation": operation.get("phase"),
    }


@contextmanager
def running(cache: Cache, kubectl: Kubectl, folder: Path) -> Iterator[ArgoCD]:
    """Install Argo CD until the block ends, with its default settings but for shorter waits.

    Args:
        cache: where its programs are built.
        kubectl: of the namespace that it gets; the block must not leave Applications there.
        folder: for its logs and clones.
    """
    with exclusive(cache):
        install_package("redis-tools", evidence="redis-check-rdb")
    built = build_besides(cache, GITOPS)
    definitions = [str(built / "crds" / f"{kind}-crd.yaml") for kind in ("application", "applicationset", "appproject")]
    files = [word for definition in definitions for word in ("--filename", definition)]
    kubectl.run("apply", "--server-side", *files)  # too large for the annotation of the other kind of apply
    try:
        # `kubectl wait` fails where a definition has no conditions yet.
        wait_until("Argo CD's API", lambda: _is_served(kubectl), timeout_s=START_TIMEOUT_S, hint="see its CRDs")
        for manifest in _settings():
            kubectl.apply(manifest)
        with ExitStack() as processes:
            _start(processes, built, kubectl, folder)
            yield ArgoCD(kubectl)
    finally:
        kubectl.run("delete", "--ignore-not-found", "--timeout=60s", *files)


def _is_served(kubectl: Kubectl) -> bool:
    try:
        kubectl.run("get", f"{APPLICATIONS},applicationsets.argoproj.io,appprojects.argoproj.io")
    except KubectlError:
        return False
    return True


def _settings() -> Iterator[dict[str, Any]]:
    """Describe what an installation has besides the programs: settings, and the project that is there at first."""
    everything = {
        "sourceRepos": ["*"],
        "destinations": [{"namespace": "*", "server": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    for name in ("argocd-cm", "argocd-rbac-cm"):
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": PART_OF}}
    yield {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "argocd-secret", "labels": PART_OF},
        "stringData": {"server.secretkey": "unused"},
    }
    yield {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "default"},
        "spec": everything,
    }


def _start(processes: ExitStack, built: Path, kubectl: Kubectl, folder: Path) -> None:
    """Start all three and wait until they answer."""
    redis, server, server_metrics, metrics = free_ports(4)
    host = "127.0.0.1"
    environment = {
        **kubectl.environment,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "ARGOCD_ASK_PASS_SOCK": str(folder / "ask-pass.sock"),
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_FAKE_IN_CLUSTER": "true",  # kubernetes.default.svc is what KUBECONFIG names
    }

    def start(name: str, *command: str, program: str = "") -> None:
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, executable=program or None, stdout=log, stderr=log, cwd=folder, env=environment
            )
        processes.callback(process.wait)
        processes.callback(process.kill)

    # The server's program is in the package of its tools, which starts no service; it goes by the name it is called by.
    start(
        "redis",
        *("redis-server", "--bind", host, "--port", str(redis), "--save", "", "--appendonly", "no"),
        program="/usr/bin/redis-check-rdb",
    )
    start(
        "repo-server",
        *(str(built / "argocd-repo-server"), "--redis", f"{host}:{redis}", "--disable-tls"),
        *("--address", host, "--port", str(server), "--metrics-address", host, "--metrics-port", str(server_metrics)),
    )
    _wait_for_health("The repository server", server_metrics, folder)
    start(
        "application-controller",
        *(str(built / "argocd-application-controller"), "--namespace", kubectl.namespace),
        *("--redis", f"{host}:{redis}", "--repo-server", f"{host}:{server}", "--repo-server-plaintext"),
        *("--metrics-port", str(metrics), "--self-heal-timeout-seconds", "1", "--persist-resource-health"),
    )
    _wait_for_health("The application controller", metrics, folder)


def _wait_for_health(what: str, port: int, folder: Path) -> None:
    def is_healthy() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(what, is_healthy, timeout_s=START_TIMEOUT_S, hint=f"its log is in {folder}")
