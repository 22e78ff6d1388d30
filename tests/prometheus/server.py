"""A Prometheus as a process of this machine, and its HTTP API."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.progress import wait_until
from local_operator import free_port

TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15

Json = Any


class Api:
    """What a Prometheus answers.

    Args:
        url: of the server, such as http://127.0.0.1:9090.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: Any) -> Json:
        """Ask below /api/v1/; what stands under `data` in the answer. Raises HTTPError where it refuses."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        url = f"{self.url}/api/v1/{path}?{query}"
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the caller's own
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Json]:
        """Evaluate now: a list of {metric: labels, value: [time, number as text]}."""
        found: list[Json] = self.get("query", query=expression)["result"]
        return found

    def query_range(self, expression: str, *, start: float, end: float, step_s: float) -> list[Json]:
        """Evaluate at each step between two Unix times: a list of {metric: labels, values: [[time, text]...]}."""
        found: list[Json] = self.get("query_range", query=expression, start=start, end=end, step=step_s)["result"]
        return found

    def label_values(self, label: str, series: str) -> list[str]:
        """Values that a label has in the series that a selector matches."""
        found: list[str] = self.get(f"label/{label}/values", **{"match[]": series})
        return found


class Prometheus(Api):
    """A server on a free loopback port, which runs from entry to exit.

    Args:
        program: its path.
        folder: for its data, its configuration and its log.
        configuration: what it scrapes and which rules it evaluates.
    """

    def __init__(self, program: Path, folder: Path, configuration: Mapping[str, Any]) -> None:
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._folder = folder
        self._log = folder / "prometheus.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [
            str(program),
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--log.level=warn",
        ]
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(dict(configuration)))

    def __enter__(self) -> Prometheus:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._folder)
        self.wait_for("Prometheus", self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_for(self, what: str, check: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        """Ask `check` until it is true; fails where the process ends meanwhile, or the time."""

        def is_true() -> bool:
            assert self._process
            assert self._process.poll() is None, f"Prometheus has ended:\n{self._log.read_text()}"
            return check()

        wait_until(what, is_true, timeout_s=timeout_s, hint=f"Prometheus' log is {self._log}")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
