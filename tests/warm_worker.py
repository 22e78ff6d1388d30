"""The worker's commands in processes forked from one that has loaded torch, which takes seconds each time.

Each run is a process of its own, with its own environment, folder, streams and exit code. Unlike a container's it does
not begin with a new interpreter: tests of the start, of signals and of kills execute the command itself.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

TIMEOUT_S = 300
LOADED = ["torch", "boto3", "sogs_worker.engines.native", "sogs_worker.job.process", "sogs_worker.job.supervisor"]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, *LOADED])


def run_warm(
    *arguments: str, environment: Mapping[str, str], folder: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Do `sogs-worker ARGUMENTS` in a folder, with nothing but this environment, and wait for its end."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        streams = [DupFd(reading), DupFd(output.fileno()), DupFd(errors.fileno())]
        process = _CONTEXT.Process(target=_run, args=(arguments, dict(environment), str(folder), streams))
        process.start()
        os.close(reading)
        threading.Thread(target=_feed, args=(writing, stdin), daemon=True).start()
        process.join(TIMEOUT_S)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, TIMEOUT_S)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(arguments, process.exitcode, output.read(), errors.read())


def _feed(pipe: int, content: bytes) -> None:
    try:
        with open(pipe, "wb") as stream:
            stream.write(content)
    except BrokenPipeError:
        return


def _run(arguments: Sequence[str], environment: Mapping[str, str], folder: str, streams: Sequence[Any]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.detach(), number)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    _replace_environment(environment)
    os.chdir(folder)
    sys.argv = ["sogs-worker", *arguments]
    from sogs_worker import __main__
    from sogs_worker.job import supervisor

    supervisor.subprocess = Forking  # type: ignore[misc, assignment]
    __main__.run()


def _replace_environment(environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # what TMPDIR says is asked for again


class Forking:
    """In the place of `subprocess` in the Job's supervisor, whose worker is forked too."""

    PIPE = subprocess.PIPE

    class Popen:
        """A process that does the supervisor's command."""

        def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> None:
            assert command[1:] == ["-m", "sogs_worker.job.process"]
            assert options == {"stderr": subprocess.PIPE, "start_new_session": True}
            reading, writing = os.pipe()
            self.pid = os.fork()
            if self.pid:
                os.close(writing)
                self.stderr = os.fdopen(reading, "rb")
                return
            from sogs_worker.job import process

            os.setsid()
            os.close(reading)
            os.dup2(writing, 2)
            _replace_environment(env)
            code = process.main()
            sys.stdout.flush()
            os._exit(code)

        def wait(self) -> int:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

        def kill(self) -> None:
            os.kill(self.pid, signal.SIGKILL)
