"""The operator of the working tree as a process of this machine, which tests may kill, limit and look into."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cluster.progress import wait_until
from kubectl import Kubectl
from warm_process import start_warm

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "splat_operator.__main__"
CLIENTS = ("kubernetes.config.kube_config", "kubernetes.aio.config.kube_config")
OF_THE_WORKER = (
    *("SPLATS_WORKER_IMAGE", "SPLATS_WORKER_IMAGE_PULL_POLICY"),
    *("SPLATS_WORKER_FIXED_USER", "SPLATS_CPU_FALLBACK"),
)
TIMEOUT_S = 90
STOP_TIMEOUT_S = 15

Series = tuple[str, frozenset[tuple[str, str]]]


class LocalOperator:
    """An operator for one namespace, with the installed one's settings for workers.

    It acts on resources whose `spec.managedBy` is its `controller`; the installed operator leaves those alone. As a
    context it runs from entry to exit; in between it can be killed and started again.

    Args:
        kubectl: of the namespace.
        folder: for its log and what else it needs.
        kubeconfig: how it reaches the API server; none: as `kubectl` does.
        name: tells several of one namespace apart.
        controller: what it acts for; none: a name that no other operator has.
        prelude: Python statements that run before its `main`, to change constants.
        variables: more of its environment, such as SPLATS_ALLOWED_SOURCES.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        folder: Path,
        *,
        kubeconfig: Path | None = None,
        name: str = "operator",
        controller: str = "",
        prelude: str = "",
        **variables: str,
    ) -> None:
        self.controller = controller or f"test.splats.dev/{kubectl.namespace}-{name}"
        self._health_port, self._metrics_port = free_port(), free_port()
        self._environment = {
            **{name: value for name, value in kubectl.environment.items() if name != "KUBERNETES_SERVICE_HOST"},
            **worker_settings(kubectl),
            **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
            "PYTHONPATH": str(ROOT / "operator"),
            "SPLATS_WATCH_NAMESPACES": kubectl.namespace,
            "SPLATS_CONTROLLER_NAME": self.controller,
            "SPLATS_HEALTH_PORT": str(self._health_port),
            "SPLATS_METRICS_PORT": str(self._metrics_port),
            **variables,
        }
        self._prelude = prelude
        self._log = folder / f"{name}.log"
        self._process: ForkServerProcess | None = None

    def __enter__(self) -> LocalOperator:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start a process and wait until it serves."""
        with self._log.open("ab") as log, Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), log.fileno(), log.fileno())
            self._process = start_warm(
                _run, self._prelude, imported=[PROGRAM], environment=self._environment, streams=streams
            )
        self.wait_for("healthz", lambda: self.health()[0] == 200)

    def stop(self) -> int:
        """End the process as the kubelet does; its exit code."""
        process = self._running()
        process.terminate()
        process.join(STOP_TIMEOUT_S)
        return self.kill() if process.exitcode is None else process.exitcode

    def kill(self) -> int:
        """End the process at once, as a crash of its node would; its exit code."""
        process = self._running()
        process.kill()
        process.join()
        assert process.exitcode is not None
        return process.exitcode

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP."""
        pid = self._running().pid
        assert pid
        os.kill(pid, number)

    @property
    def has_ended(self) -> bool:
        """Whether the process is there no more."""
        return self._running().exitcode is not None

    def wait_for(self, what: str, check: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        """Ask `check` until it is true; fails with the log where the process ends meanwhile, or the time."""

        def is_true() -> bool:
            assert not self.has_ended, f"The operator has ended:\n{self.log()}"
            return check()

        wait_until(what, is_true, timeout_s=timeout_s, hint=f"the operator's log is {self._log}")

    def log(self) -> str:
        """What all its processes have logged."""
        return self._log.read_text()

    @property
    def endpoints(self) -> dict[int, str]:
        """What it answers, by port."""
        return {self._health_port: "healthz", self._metrics_port: "metrics"}

    def health(self) -> tuple[int, str]:
        """HTTP status and answer of /healthz; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/healthz", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self) -> Mapping[Series, float]:
        """All samples of /metrics by name and labels; see `series`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics_port}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        return {series(sample.name, **sample.labels): sample.value for family in families for sample in family.samples}

    def _running(self) -> ForkServerProcess:
        assert self._process, "the operator was never started"
        return self._process


def _run(prelude: str) -> None:
    if kubeconfig := os.environ.get("KUBECONFIG"):
        for client in CLIENTS:  # each looks at the variable when it is imported
            vars(importlib.import_module(client))["KUBE_CONFIG_DEFAULT_LOCATION"] = kubeconfig
    program = importlib.import_module(PROGRAM)
    exec(prelude, {"program": program})  # noqa: S102
    sys.exit(program.main())


def series(name: str, **labels: str) -> Series:
    """Key of a sample: `series("splat_compressions", namespace="garden", phase="Failed")`."""
    return name, frozenset(labels.items())


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def worker_settings(kubectl: Kubectl) -> dict[str, str]:
    """Read what the installed operator is told of its workers: their image is on the nodes."""
    everywhere = Kubectl(kubectl.environment, os.environ.get("NAMESPACE", "splat-operator"))
    (deployment,) = everywhere.list("deployments", "-l", "app.kubernetes.io/name=splat-operator")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"] if each["name"] in OF_THE_WORKER}
