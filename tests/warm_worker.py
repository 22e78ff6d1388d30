"""The worker's commands in processes that need not load torch, which takes seconds each time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from warm_process import replace_environment, start_warm

TIMEOUT_S = 300
IMPORTED = ("torch", "boto3", "sogs_worker.engines.native", "sogs_worker.job.process", "sogs_worker.job.supervisor")


def run_warm(
    *arguments: str, environment: Mapping[str, str], folder: Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Do `sogs-worker ARGUMENTS` in a folder, with nothing but this environment, and wait for its end."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        streams = (reading, output.fileno(), errors.fileno())
        process = start_warm(_run, arguments, folder, imported=IMPORTED, environment=environment, streams=streams)
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


def _run(arguments: Sequence[str], folder: Path) -> None:
    os.chdir(folder)
    sys.stdin = open(0)  # noqa: SIM115
    sys.argv = ["sogs-worker", *arguments]
    from sogs_worker import __main__
    from sogs_worker.job import supervisor

    supervisor.subprocess = Forking  # type: ignore[misc, assignment]
    __main__.run()


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
            replace_environment(env)
            code = process.main()
            sys.stdout.flush()
            os._exit(code)

        def wait(self) -> int:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

        def kill(self) -> None:
            os.kill(self.pid, signal.SIGKILL)
