"""Run a command under a time limit and write down what it used. A program of its own, started by `run_measured`.

    python -IS launch.py LIMIT_S REPORT COMMAND...

Linux counts towards the peak memory of a process what the one that started it held at that moment. So that one has to
be small when it starts what is measured: this program imports little and no site packages.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn


def main() -> None:
    """Run the command in a process group of its own, and end the whole group at the limit or when asked to stop."""
    limit_s, report, command = float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    started_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(command)
    # Both sides set the group, so that it exists for whoever comes first.
    _ignoring_the_gone(os.setpgid, pid, pid)
    timed_out = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal timed_out
        timed_out = number == signal.SIGALRM
        _ignoring_the_gone(os.killpg, pid, signal.SIGKILL)

    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - started_s
    signal.setitimer(signal.ITIMER_REAL, 0)
    _ignoring_the_gone(os.killpg, pid, signal.SIGKILL)
    measured = {"seconds": seconds, "peak_rss_bytes": usage.ru_maxrss * 1024, "timed_out": timed_out}
    report.write_text(json.dumps({**measured, "exit_code": os.waitstatus_to_exitcode(status)}))


def _become(command: list[str]) -> NoReturn:
    os.setpgid(0, 0)
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is what is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _ignoring_the_gone(call: Callable[[int, int], None], pid: int, value: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        call(pid, value)


if __name__ == "__main__":
    main()
