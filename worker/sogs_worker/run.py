"""The Job's entry: starts the work in a process of its own and answers for how it ends.

A signal cannot interrupt a long computation inside torch or an upload in the SDK's threads, but another process can
be ended at once. What it had begun to publish stands in its journal and is withdrawn here, whatever the reason was.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

from sogs_worker.errors import ConfigurationError, InterruptedRunError, WorkerError
from sogs_worker.joblog import write_message
from sogs_worker.publication import withdraw
from sogs_worker.settings import Settings, read_settings, termination_log
from sogs_worker.task import Task, load_task
from sogs_worker.termination import report_failure

WITHDRAW_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 3.5
"""For withdrawing after SIGTERM: the whole stop has 5 s."""


def main() -> int:
    """Do the run that the environment describes; return its exit code."""
    try:
        settings = read_settings(os.environ)
        task = load_task(settings.run_document, os.environ)
        prepare_scratch(settings)
    except WorkerError as error:
        return report_failure(error, termination_log(os.environ))
    return Supervisor(task, settings).run()


def prepare_scratch(settings: Settings) -> None:
    """Make sure that there is a folder to work in, without a journal of an earlier attempt in the same container."""
    try:
        settings.scratch.mkdir(parents=True, exist_ok=True)
        settings.journal.write_bytes(b"")
    except OSError as error:
        raise ConfigurationError(
            f"the scratch folder {settings.scratch} cannot be written to: {error.strerror}; mount a volume there"
        ) from error


class Supervisor:
    """Watches one worker process."""

    def __init__(self, task: Task, settings: Settings) -> None:
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
        self._worker = subprocess.Popen([sys.executable, "-m", "sogs_worker.job"], start_new_session=True)
        if self._interrupted:
            self._worker.kill()
        import sogs_worker.storage.s3  # noqa: F401  (takes a second, which a stop does not have)

        code = self._worker.wait()
        if code < 0:
            code = report_failure(self._diagnose(-code), self._settings.termination_log)
        if code != 0 and self._settings.journal.stat().st_size:
            self._withdraw()
        return code

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupted = True
        if self._worker:
            self._worker.kill()

    def _diagnose(self, number: int) -> WorkerError:
        """Say why the worker was ended by a signal."""
        if self._interrupted:
            return InterruptedRunError("the run was told to stop before it had finished; nothing of it stays published")
        return WorkerError(
            f"the worker was ended by {signal.Signals(number).name}, most likely for want of memory;"
            " raise the memory of spec.resources.limits"
        )

    def _withdraw(self) -> None:
        """Withdraw in the time there is: a server that does not answer must not hold up the end."""
        from sogs_worker.storage.s3 import S3Store

        destination = self._task.destination

        def work() -> None:
            store = S3Store(destination.location.bucket, destination.connection, scratch=self._settings.scratch)
            withdraw(store, self._settings.journal)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(STOP_TIMEOUT_S if self._interrupted else WITHDRAW_TIMEOUT_S)
        if thread.is_alive():
            write_message(f"{destination.connection.server} took too long; objects without a manifest may be left")
