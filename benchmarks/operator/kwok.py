"""kwok as a process beside the cluster's, which ends with this one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.operator.api import kubeconfig
from benchmarks.operator.manifests import LABEL

START_LIMIT_S = 30
STOP_LIMIT_S = 5
POLL_S = 0.05
OPTIONS = {
    "podPlayStageParallelism": 16,  # status patches at a time; with its default of 4 the run would wait for kwok
    # The rest are kwok's defaults, which it has only where no configuration is given.
    "nodePlayStageParallelism": 4,
    "nodeLeaseParallelism": 4,
    "podsOnNodeSyncParallelism": 1,
    "enableDebuggingHandlers": True,  # the logs
}

Json = Mapping[str, Any]


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(folder: Path, *, namespace: str, port: int) -> list[str]:
    """Build kwok's command line; setpriv has the kernel end it when this process ends, in whatever way."""
    return [
        *("setpriv", "--pdeathsig", "TERM", "kwok"),
        f"--config={folder / 'kwok.yaml'}",
        f"--kubeconfig={kubeconfig()}",
        f"--manage-nodes-with-label-selector={LABEL}={namespace}",
        f"--server-address=127.0.0.1:{port}",
        "--node-lease-duration-seconds=40",
        "--v=WARN",
    ]


def write_configuration(folder: Path, documents: Sequence[Json]) -> None:
    """Write kwok's configuration: JSON documents are YAML, too."""
    own = {"kind": "KwokConfiguration", "apiVersion": "config.kwok.x-k8s.io/v1alpha1", "options": OPTIONS}
    (folder / "kwok.yaml").write_text("\n---\n".join(json.dumps(each) for each in [own, *documents]))


@asynccontextmanager
async def running_kwok(folder: Path, documents: Sequence[Json], *, namespace: str, port: int) -> AsyncIterator[None]:
    """Run kwok for the nodes that carry the namespace's label, from when it answers to the block's end.

    Args:
        folder: takes its configuration and its log.
        documents: the stages and what else is configured.
        namespace: of the benchmark.
        port: where it answers for its nodes.

    Raises:
        BenchmarkError: it is not built, or ends by itself.
    """
    if not shutil.which("kwok"):
        raise BenchmarkError("kwok is not on PATH: make bench-operator builds it.")
    write_configuration(folder, documents)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}  # else ~/.kwok would configure it, too
    with (folder / "kwok.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command(folder, namespace=namespace, port=port),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # an interrupt from the terminal is for this process, which cleans up first
        )
    try:
        await _wait_until_it_answers(process, port, folder / "kwok.log")
        yield
    finally:
        await _stop(process)


async def _wait_until_it_answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while not await _answers(port):
                if process.returncode is not None:
                    raise BenchmarkError(f"kwok has ended by itself: {_last_line(log)}")
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise BenchmarkError(f"kwok does not answer after {START_LIMIT_S} s: {_last_line(log)}") from error


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
