"""Lines that say what is being done and how long it took, for somebody who waits."""

import sys
import time
from collections.abc import Callable
from subprocess import Popen, TimeoutExpired

from cluster.errors import ClusterError

_STARTED = time.monotonic()
_HEARTBEAT_S = 30.0


def say(text: str) -> None:
    """Print one line with the seconds since this command began; to stderr, as `env` is evaluated from stdout."""
    print(f"[{time.monotonic() - _STARTED:4.0f} s] {text}", file=sys.stderr, flush=True)


def wait_until(what: str, check: Callable[[], bool], *, timeout_s: float, hint: str, poll_s: float = 0.1) -> None:
    """Ask `check` until it is true.

    Raises:
        ClusterError: when it is still false after `timeout_s`; the message ends with `hint`.
    """
    deadline = time.monotonic() + timeout_s
    while not check():
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} was not ready within {timeout_s:.0f} s; {hint}.")
        time.sleep(poll_s)


def watch(process: Popen[str], what: str, *, expected_s: float) -> tuple[int, str]:
    """Wait for a long command with a line every half minute; its exit code and what it printed."""
    started = time.monotonic()
    while True:
        try:
            output, _ = process.communicate(timeout=_HEARTBEAT_S)
        except TimeoutExpired:
            say(f"  {what}: {time.monotonic() - started:.0f} s of about {expected_s:.0f} s")
        else:
            return process.returncode, output
