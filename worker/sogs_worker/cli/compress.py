"""The command `compress`: any scenes to wherever they are to be, each as soon as it is made."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from sogs_worker.cli.places import Target, open_input, open_output, staged_output, temporary_folder
from sogs_worker.cli.streams import STREAM, require_one_stream, require_output, results_stream, send
from sogs_worker.cli.targets import check_output
from sogs_worker.errors import UsageError, WorkerError
from sogs_worker.reporting.display import showing_progress
from sogs_worker.reporting.faults import as_worker_error
from sogs_worker.reporting.results import format_size, print_fault, print_record, say_notes
from sogs_worker.scenes.accelerator import Accelerator, load_encoder
from sogs_worker.scenes.delivery import Delivery, ExistsError, identify
from sogs_worker.scenes.destination import Made
from sogs_worker.scenes.make import Recipe
from sogs_worker.scenes.outcome import Outcome
from sogs_worker.scenes.pipeline import Pipeline
from sogs_worker.source.names import PATHS, Pattern
from sogs_worker.source.roots import find_items
from sogs_worker.source.search import NoSceneError, PassedOver, say_passed_over
from sogs_worker.source.selection import ALL, Selection

LOGGER = logging.getLogger(__name__)


class Existing(Enum):
    """What becomes of outputs that are there already."""

    REFUSE = "they stay, and that is a fault"
    SKIP = "they stay"
    REPLACE = "they are made again"


@dataclass(frozen=True)
class Request:
    """What is to be compressed, where to, and how.

    Attributes:
        inputs: paths and addresses; `-` is standard input.
        output: a path or an address; `-` is standard output.
        recipe: how outputs are made.
        device: `auto`, `cuda` or `cpu`.
        selection: what is taken of folders and archives.
        names: how outputs are named.
        existing: what becomes of outputs that are there.
        as_json: whether results and progress are for a program.
        is_quiet: whether to show no progress.
    """

    inputs: Sequence[str]
    output: str
    recipe: Recipe
    device: str
    selection: Selection = ALL
    names: Pattern = PATHS
    existing: Existing = Existing.REFUSE
    as_json: bool = False
    is_quiet: bool = False


def compress(request: Request) -> int:
    """Compress scenes; return the exit code of the first fault, after the others are done.

    Raises:
        WorkerError: nothing can be done.
    """
    check_output(request.output, len(request.inputs), request.recipe.encoder.format, request.names)
    if request.output == STREAM and request.recipe.preview:
        raise UsageError("--preview draws beside the output, and beside standard output is no place; name a file")
    require_output(request.output)
    require_one_stream(request.inputs)
    with temporary_folder(request.output) as scratch:
        code = _compress(request, scratch)
        if request.output == STREAM and code == 0:
            send(staged_output(scratch))
        return code


def _compress(request: Request, scratch: Path) -> int:
    recipe = request.recipe
    target = open_output(request.output, recipe.encoder.format, os.environ, scratch=scratch)
    tally = Tally(request, target, scratch)
    roots = []
    for text in request.inputs:
        try:
            roots.append(open_input(text, os.environ, scratch=scratch, target=target))
        except WorkerError as error:
            tally.fail(error)
    findings = find_items(roots, request.selection, request.names)
    items = findings.items
    say_passed_over(findings.passed_over)
    for fault in findings.faults:
        tally.fail(fault)
    if not items:
        return tally.exit_code
    destination = Delivery(
        target.store,
        target.key_of,
        scratch=scratch,
        sources=frozenset(identify(store.uri(entry.head)) for store, entry, _ in items),
        takes_many=target.takes_many,
        replaces=request.existing is Existing.REPLACE,
    )
    accelerator = Accelerator(request.device, lambda: load_encoder(request.device, recipe.encoder))
    with showing_progress(as_json=request.as_json, is_quiet=request.is_quiet) as progress:
        pipeline = Pipeline(
            recipe,
            destination,
            scratch=scratch,
            accelerator=accelerator,
            progress=progress,
            selection=request.selection,
            names=request.names,
        )
        for outcome in pipeline.run(items):
            with progress.aside():
                tally.add(outcome, accelerator.name)
        if not tally.has_outputs:
            progress.give_up()
    if not (tally.has_outputs or tally.exit_code):
        tally.fail(NoSceneError.of_archives(" ".join(request.inputs), request.selection))
    tally.finish()
    return tally.exit_code


class Tally:
    """Says what becomes of each scene, and in the end of all."""

    def __init__(self, request: Request, target: Target, scratch: Path) -> None:
        self._request = request
        self._target = target
        self._scratch = scratch
        self._records: list[dict[str, Any]] = []
        self._codes: list[int] = []
        self._skipped = 0
        self._started_s = time.monotonic()

    @property
    def exit_code(self) -> int:
        """That of the first fault; 0 without any."""
        return self._codes[0] if self._codes else 0

    @property
    def has_outputs(self) -> bool:
        """Whether anything is at its place."""
        return bool(self._records or self._skipped)

    def add(self, outcome: Outcome, device: str) -> None:
        """Count an outcome, and say what it is."""
        if isinstance(outcome.result, Made):
            record = outcome.to_record(outcome.result, device)
            self._records.append(record)
            say_notes(outcome.uri, outcome.notes)
            name = self._target.name_for_people(outcome.result.name)
            stream = results_stream(self._request.output)
            print_record(record, name, str(outcome.dropped), as_json=self._request.as_json, stream=stream)
        elif isinstance(outcome.result, ExistsError) and self._request.existing is Existing.SKIP:
            self._skipped += 1
        elif isinstance(outcome.result, PassedOver):
            say_passed_over([outcome.result])
        else:
            if not isinstance(outcome.result, WorkerError | OSError):
                LOGGER.info("the traceback of what follows:", exc_info=outcome.result)
            self.fail(as_worker_error(outcome.result, str(self._scratch)))

    def fail(self, fault: WorkerError) -> None:
        """Count a fault, and say what it is."""
        self._codes.append(fault.exit_code)
        print_fault(fault)

    def finish(self) -> None:
        """Say how much it was, where that is not said already."""
        count = len(self._records) + len(self._codes) + self._skipped
        if self._request.as_json or self._request.is_quiet or count == 1:
            return
        words = [f"{len(self._records)} of {count} scenes compressed"]
        words += [f"{self._skipped} there already"] if self._skipped else []
        words += [f"{len(self._codes)} failed"] if self._codes else []
        if self._records:
            before, after = (sum(record[name] for record in self._records) for name in ("sourceBytes", "bytes"))
            words.append(f"{format_size(before)} -> {format_size(after)}, {before / after:.1f}x")
        print(f"{', '.join(words)}, {time.monotonic() - self._started_s:.1f} s", file=sys.stderr)
