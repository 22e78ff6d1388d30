"""`python -m sogs_worker` and the command `sogs-worker`."""

from __future__ import annotations

import os
import sys

from sogs_worker.cli.commands import main
from sogs_worker.errors import InterruptedRunError

BROKEN_PIPE = 141
"""As a shell says it of a program that a closed pipe has ended: 128 and the number of SIGPIPE."""


def run() -> None:
    """Run one command and end the process with its exit code."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output, as `head` does, has had enough of it
        os._exit(BROKEN_PIPE)
    if code == InterruptedRunError.exit_code:  # an orderly end would wait for threads that wait for a server
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
