"""The command's entry: one command is run, and its end is an exit code (docs/job.md)."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from sogs_worker.cli.parser import build_parser
from sogs_worker.cli.viewpoint import join_vectors
from sogs_worker.errors import InterruptedRunError, WorkerError
from sogs_worker.reporting.messages import start_messages
from sogs_worker.reporting.results import INTERRUPTED, print_fault

CTRL_C = 130
"""As a shell says it of a program that Ctrl-C has ended: 128 and the number of SIGINT."""


class StoppedError(KeyboardInterrupt):
    """SIGTERM has come. Like Ctrl-C, nobody on the way takes it for a fault of an input or of a request."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Expected failures are one sentence, never a traceback."""
    signal.signal(signal.SIGTERM, _stop)
    # Threads that wait for each other must sleep, not spin: where others use the same cores, spinning takes several
    # times as long. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        options = build_parser().parse_args(join_vectors(sys.argv[1:] if arguments is None else arguments))
        start_messages(is_quiet=options.quiet, is_verbose=options.verbose, as_json=getattr(options, "json", False))
        return int(options.command(options))
    except WorkerError as error:
        print_fault(error)
        return error.exit_code
    except KeyboardInterrupt as stop:
        print(f"sogs-worker: {INTERRUPTED}", file=sys.stderr)
        return InterruptedRunError.exit_code if isinstance(stop, StoppedError) else CTRL_C


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise StoppedError
