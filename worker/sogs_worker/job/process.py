"""One run from start to end. Lives in a process of its own, which `run` may end at any moment."""

from __future__ import annotations

import logging
import os
import sys
import time

from sogs_worker.errors import WorkerError
from sogs_worker.job.deletion import Deleting
from sogs_worker.job.termination import report_failure, report_success
from sogs_worker.publish.manifest import Deleted, Result
from sogs_worker.publish.publication import Publication
from sogs_worker.reporting.display import showing_progress
from sogs_worker.reporting.faults import as_worker_error
from sogs_worker.reporting.log import start_logging
from sogs_worker.reporting.progress import Progress
from sogs_worker.scenes.accelerator import Accelerator, load_for_job
from sogs_worker.scenes.run import Work, compress_all, compress_shard
from sogs_worker.storage.base import ReadableStore, Store
from sogs_worker.storage.opening import open_readable, open_store
from sogs_worker.task.assignment import Assignment
from sogs_worker.task.environment import Settings, read_settings
from sogs_worker.task.task import Deletion, Task, load_task

LOGGER = logging.getLogger(__name__)


def main() -> int:
    """Do the run that the environment describes; return its exit code after leaving the termination message."""
    start_logging(os.environ)
    settings = read_settings(os.environ)
    try:
        with showing_progress(as_json=True, stream=sys.stdout) as progress:
            result = do_run(load_task(settings.run_document, os.environ), settings, progress)
    except Exception as error:
        if not isinstance(error, WorkerError | OSError):
            LOGGER.exception("the worker failed unexpectedly")
        return report_failure(as_worker_error(error, str(settings.scratch)), settings.termination_log)
    report_success(result, settings.termination_log)
    return 0


def do_run(run: Task | Deletion, settings: Settings, progress: Progress) -> Result | Deleted:
    """Do what the run document asks for."""
    if isinstance(run, Deletion):
        return Deleting(run, open_destination(run, settings), settings.scratch, progress).run()
    return run_task(run, settings, progress)


def run_task(task: Task, settings: Settings, progress: Progress) -> Result:
    """Compress the source's scenes, or this pod's part of them, and publish the outputs, all or none.

    Raises:
        WorkerError: names the object and the remedy.
    """
    started_s = time.monotonic()
    progress.report("read", 0.0)
    store = open_destination(task, settings)
    publication = open_publication(task, store, settings)
    publication.check(task.manifest_key)  # before the hours of work, not after them
    accelerator = Accelerator(settings.device, lambda: load_for_job(settings, task.encoder))
    source = open_source(task, settings)
    work = Work(task, source, store, publication, settings.scratch, accelerator, progress)
    return compress_shard(work, task.shard, started_s) if task.shard else compress_all(work, started_s)


def open_source(task: Task, settings: Settings) -> ReadableStore:
    """Open what the task reads from."""
    place = task.source
    return open_readable(place.location, place.connection, scratch=settings.scratch, volumes=settings.volumes)


def open_destination(run: Assignment, settings: Settings) -> Store:
    """Open what the run writes to."""
    place = run.destination
    return open_store(place.location, place.connection, scratch=settings.scratch, volumes=settings.volumes)


def open_publication(run: Assignment, store: Store, settings: Settings) -> Publication:
    """Prepare to publish what this attempt at a run makes."""
    return Publication(
        store,
        run.hidden_folder,
        mark=run.mark,
        task=run.digest,
        attempt=settings.attempt,
        scratch=settings.scratch,
    )


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # an orderly end would wait for, or crash in, a thread that still loads torch for nothing
