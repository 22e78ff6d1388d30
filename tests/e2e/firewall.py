"""NetworkPolicies enforced on this machine's node: kube-router as its firewall, and addresses outside the cluster."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from cluster.cache import Cache
from cluster.go_groups import FIREWALL
from cluster.lifecycle import build_besides
from cluster.prerequisites import install_package
from cluster.progress import wait_until
from cluster.settings import NODE, SERVICE_CIDR
from local_operator import free_port

METADATA = "169.254.169.254"
"""Where clouds give a node's credentials to whoever asks."""
STOP_TIMEOUT_S = 15
_CHAINS = re.compile(r"KUBE-(ROUTER|POD-FW|NWPLCY)\S*")
_SETS = re.compile(r"(inet6:)?(kube-router|KUBE-SRC|KUBE-DST)\S*")


class Firewall:
    """kube-router, which holds the node's pods to their NetworkPolicies from entry to exit and leaves no rule behind.

    Args:
        cache: of the embedded cluster.
        folder: for its log.
    """

    def __init__(self, cache: Cache, folder: Path) -> None:
        install_package("ipset", evidence="ipset")
        self._log = folder / "kube-router.log"
        self._health = f"http://127.0.0.1:{(port := free_port())}/healthz"
        self._command = [
            str(build_besides(cache, FIREWALL) / "kube-router"),
            *(f"--kubeconfig={cache.kubeconfig}", f"--hostname-override={NODE}", f"--health-port={port}"),
            *("--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false"),
            *(f"--service-cluster-ip-range={SERVICE_CIDR}", "--metrics-port=0"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Firewall:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        with ExitStack() as undo:
            undo.callback(self._stop)
            wait_until("kube-router", self._is_healthy, timeout_s=60, hint=f"its log is {self._log}")
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _remove_rules("iptables")
        _remove_rules("ip6tables")
        names = [name for name in _run("ipset", "list", "-name").split() if _SETS.fullmatch(name)]
        _run("ipset", "restore", stdin="".join(f"destroy {name}\n" for name in names))

    def _is_healthy(self) -> bool:
        assert self._process, "the firewall was never started"
        assert self._process.poll() is None, self._log.read_text()
        return _answers(self._health)


def _remove_rules(tool: str) -> None:
    """Take kube-router's rules and chains out of the table, in one step that touches no other's."""
    lines = _run(f"{tool}-save", "-t", "filter").splitlines()
    chains = [line[1:].split()[0] for line in lines if line.startswith(":") and _CHAINS.match(line[1:])]
    rules = [line for line in lines if line.startswith("-A") and not _CHAINS.match(line[3:]) and _CHAINS.search(line)]
    commands = [
        *(f"-D{rule.removeprefix('-A')}" for rule in rules),
        *(f"-F {chain}" for chain in chains),
        *(f"-X {chain}" for chain in chains),
    ]
    _run(f"{tool}-restore", "--noflush", stdin="\n".join(["*filter", *commands, "COMMIT", ""]))


class Outside:
    """Addresses that lie neither on the node nor among the pods, with a web server on each, from entry to exit.

    Args:
        folder: what the server shows.
    """

    listed, other, port = "10.251.7.2", "10.251.7.3", 8333
    _name, _node_side, _far_side, _node_ip = "splats-outside", "splats-out0", "splats-out1", "10.251.7.1"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Outside:
        with ExitStack() as undo:
            _run("ip", "netns", "add", self._name)
            undo.callback(_run, "ip", "netns", "delete", self._name)  # the devices go with it
            _run("ip", "link", "add", self._node_side, "type", "veth", "peer", self._far_side, "netns", self._name)
            _run("ip", "address", "add", f"{self._node_ip}/24", "dev", self._node_side)
            _run("ip", "link", "set", self._node_side, "up")
            for address in (f"{self.listed}/24", f"{self.other}/24", f"{METADATA}/32"):
                self._inside("ip", "address", "add", address, "dev", self._far_side)
            self._inside("ip", "link", "set", self._far_side, "up")
            self._inside("ip", "route", "add", "default", "via", self._node_ip)
            _run("ip", "route", "add", f"{METADATA}/32", "via", self.listed, "dev", self._node_side)
            serve = [sys.executable, "-m", "http.server", str(self.port), "--directory", str(self._folder)]
            server = subprocess.Popen(
                ["ip", "netns", "exec", self._name, *serve], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            undo.callback(server.wait)
            undo.callback(server.kill)
            page = f"http://{self.listed}:{self.port}/"
            wait_until("the server outside", lambda: _answers(page), timeout_s=30, hint="see Outside")
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _inside(self, *command: str) -> None:
        _run("ip", "netns", "exec", self._name, *command)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310 - the test's own
            return bool(answer.status == 200)
    except (URLError, TimeoutError):
        return False


def _run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
