"""The Job's entry: starts the work in a process of its own and answers for how it ends.

A signal cannot interrupt a long computation inside torch or an upload in the SDK's threads, but another process can
be ended at once. What it has uploaded under hidden names is for the next attempt; after a failure that has none, it is
removed here.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from types import FrameType

from sogs_worker.errors import ConfigurationError, InterruptedRunError, WorkerError
from sogs_worker.job.termination import report_failure
from sogs_worker.publish.publication import began_uploading
from sogs_worker.reporting.log import relay, start_logging, write_message
from sogs_worker.task.assignment import Assignment
from sogs_worker.task.environment import ATTEMPT, Settings, read_settings, termination_log
from sogs_worker.task.task import load_task

PERMANENT_CODES = frozenset(kind.exit_code for kind in WorkerError.__subclasses__() if kind.is_permanent)
"""Of failures after which there is no other attempt."""

WITHDRAW_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.5
"""For withdrawing after SIGTERM: the whole stop has 5 s."""
LAST_WORDS_TIMEOUT_S = 0.5
"""Standard error ends with the worker, unless a process that it has started lives on."""


def main() -> int:
    """Do the run that the environment describes; return its exit code."""
    start_logging(os.environ)
    try:
        settings = read_settings(os.environ)
        task = load_task(settings.run_document, os.environ)
        prepare_scratch(settings)
    except WorkerError as error:
        return report_failure(error, termination_log(os.environ))
    return Supervisor(task, settings).run()


def prepare_scratch(settings: Settings) -> None:
    """Make sure that there is an empty folder to work in."""
    try:
        if settings.scratch.is_dir():
            shutil.rmtree(settings.scratch)
        settings.scratch.mkdir(parents=True)
    except OSError as error:
        raise ConfigurationError(
            f"the scratch folder {settings.scratch} cannot be written to: {error.strerror}; mount a volume there"
        ) from error


class Supervisor:
    """Watches one worker process."""

    def __init__(self, task: Assignment, settings: Settings) -> None:
        """Get ready; nothing is started yet."""
        self._task = task
        self._settings = settings
        self._worker: subprocess.Popen[bytes] | None = None
        self._interrupted = False

    def run(self) -> int:
        """Start the worker, wait for it, and return the exit code of the run."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        # A session of its own: Ctrl-C in a terminal reaches this process only, which then ends the other.
        environment = {**os.environ, ATTEMPT: self._settings.attempt}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "sogs_worker.job.process"],
            env=environment,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        if self._interrupted:
            self._worker.kill()
        last_words = threading.Thread(target=relay, args=[self._worker.stderr], daemon=True)
        last_words.start()
        if self._task.destination.location.scheme == "s3":
            import sogs_worker.storage.s3.store  # noqa: F401  (takes a second, which a stop does not have)

        code = self._worker.wait()
        last_words.join(LAST_WORDS_TIMEOUT_S)
        if code < 0:
            code = report_failure(self._diagnose(-code), self._settings.termination_log)
        if code != 0 and began_uploading(self._settings.scratch).exists():
            self._withdraw(is_last=code in PERMANENT_CODES)
        return code

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        if self._worker:
            self._worker.kill()

    def _diagnose(self, number: int) -> WorkerError:
        """Say why the worker was ended by a signal."""
        if self._interrupted:
            return InterruptedRunError("the run was told to stop before it had finished; the next attempt goes on")
        return WorkerError(
            f"the worker was ended by {signal.Signals(number).name}, most likely for want of memory;"
            " raise the memory of spec.resources.limits"
        )

    def _withdraw(self, *, is_last: bool) -> None:
        """Remove what is hidden and of no use, but do not wait long for a server that does not answer."""
        from sogs_worker.job.process import open_destination, open_publication

        def work() -> None:
            store = open_destination(self._task, self._settings)
            open_publication(self._task, store, self._settings).discard(is_last=is_last)

        thread = threading.Thread(target=suppressed, args=[work], daemon=True)
        thread.start()
        thread.join(STOP_TIMEOUT_S if self._interrupted else WITHDRAW_TIMEOUT_S)
        if thread.is_alive():
            place = self._task.destination.location.address
            write_message(f"{place} took too long; what this run has uploaded stays hidden until the next", "warning")


def suppressed(work: Callable[[], None]) -> None:
    """Tell what went wrong, and no more: the run's own failure is what counts."""
    try:
        work()
    except WorkerError as error:
        write_message(f"what this run has uploaded stays hidden until the next: {error}", "warning")
