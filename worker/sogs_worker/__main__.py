"""`python -m sogs_worker` and the command `sogs-worker`."""

from __future__ import annotations

import os
import sys

from sogs_worker.cli import main
from sogs_worker.errors import InterruptedRunError


def run() -> None:
    """Run one command and end the process with its exit code."""
    code = main()
    if code == InterruptedRunError.exit_code:  # an orderly end would wait for threads that wait for a server
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
