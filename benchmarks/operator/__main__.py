"""The command line. The last line of standard output is one JSON object; progress and errors go to standard error."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.operator.api import open_api
from benchmarks.operator.arguments import build_parser
from benchmarks.operator.cleaning import clean_leftovers
from benchmarks.operator.courses import run_all, run_running, run_sizes
from benchmarks.operator.figures import Figures, keep, read
from benchmarks.operator.plots import plot
from benchmarks.operator.progress import say

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; 0 if nothing was lost or doubled, 1 with a sentence if it was, 130 when interrupted."""
    options = build_parser().parse_args(arguments)
    try:
        with _alone():
            faults = asyncio.run(_run(options))
    except (BenchmarkError, ExceptionGroup) as error:
        faults = sentences(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("bench-operator: interrupted", file=sys.stderr)
        return INTERRUPTED
    for fault in faults:
        print(f"bench-operator: {fault}", file=sys.stderr)
    return 1 if faults else 0


def sentences(error: Exception) -> list[str]:
    """Return what ended the run, each thing once. An error that is none of the benchmark's own is raised."""
    if isinstance(error, BenchmarkError):
        return [str(error)]
    if not isinstance(error, ExceptionGroup):
        raise error
    return list(dict.fromkeys(text for each in error.exceptions for text in sentences(each)))


async def _run(options: argparse.Namespace) -> list[str]:
    _end_as_interrupted(signal.SIGTERM)
    labels = {"machine": str(describe_machine("")), "command": shlex.join(["python", *sys.orig_argv[1:]])}

    def keep_row(figures: Figures) -> None:
        keep(options.results, {**figures, **labels})

    async with open_api() as api:
        for namespace in await clean_leftovers(api):
            say(f"cleaned up namespace {namespace} of a run that was killed")
        course = run_sizes if options.sizes else run_running if options.running else run_all
        figures, faults = await course(api, options, keep_row)
    if options.plot:
        plot(read(options.results), options.plot)
    print(json.dumps(figures), flush=True)
    return faults


def _end_as_interrupted(number: signal.Signals) -> None:
    """Have a signal end the run as Ctrl-C does, so that it cleans up."""
    task = asyncio.current_task()
    if task:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the machine's one place for this benchmark: of two runs, each would clean up the other's ground."""
    with Path(tempfile.gettempdir(), "splats-bench-operator.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BenchmarkError("Another run of this benchmark is at work on this machine: wait for it.") from error
        yield


if __name__ == "__main__":
    sys.exit(main())
