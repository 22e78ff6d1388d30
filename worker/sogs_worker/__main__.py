"""`python -m sogs_worker` and the command `sogs-worker`."""

from __future__ import annotations

import os
import sys

from sogs_worker.cli.main import main

BROKEN_PIPE = 141
"""As a shell says it of a program that a closed pipe has ended: 128 and the number of SIGPIPE."""


def run() -> None:
    """Run one command and end the process with its exit code."""
    try:
        code = main()
        _flush()
    except BrokenPipeError:  # whoever reads the output, as `head` does, has had enough of it
        os._exit(BROKEN_PIPE)
    except SystemExit as end:  # of --help and --version
        code = int(end.code or 0)
        _flush()
    os._exit(code)  # an orderly end would wait for threads that wait for a server, or that load torch for nothing


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream:  # None is one that is closed from the start
            stream.flush()


if __name__ == "__main__":
    run()
