"""Making and publishing the outputs of a source: of all of it, or of one pod's part."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sogs_worker.publish.contact_sheet import is_sheet_of, stage_sheet
from sogs_worker.publish.manifest import Output, Result
from sogs_worker.publish.publication import Publication
from sogs_worker.publish.staged import Staged, look_up
from sogs_worker.reporting.log import write_message
from sogs_worker.reporting.progress import Progress
from sogs_worker.reporting.results import say_notes
from sogs_worker.scenes.accelerator import Accelerator
from sogs_worker.scenes.destination import Made
from sogs_worker.scenes.make import Recipe
from sogs_worker.scenes.pipeline import Pipeline
from sogs_worker.scenes.staging import Staging
from sogs_worker.shards.gathering import Gathering
from sogs_worker.source.objects import SourceObject, find_objects
from sogs_worker.source.roots import Item
from sogs_worker.source.search import NoSceneError, PassedOver, say_passed_over
from sogs_worker.storage.base import ConflictError, ReadableStore, Store
from sogs_worker.task.shard import Shard
from sogs_worker.task.task import Task

Describe = Callable[[Sequence[Output], bool], Result]
"""Makes a result of outputs; whether there is a contact sheet of them."""


@dataclass(frozen=True)
class Work:
    """A task and what it is done with."""

    task: Task
    source: ReadableStore
    store: Store
    publication: Publication
    scratch: Path
    accelerator: Accelerator
    progress: Progress


class Making:
    """The outputs of a task's objects, hidden until they are published."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._staging = Staging(work.task, work.publication)
        self._made: list[Made] = []

    def run(self, objects: Sequence[SourceObject]) -> tuple[list[Output], list[Staged]]:
        """Make them, or find them made; return them, and what of them is to be published.

        Raises:
            Exception: of the first object or scene that fails. What is on its way then is given up.
        """
        work, task = self._work, self._work.task
        pipeline = Pipeline(
            Recipe(task.encoder, preview=task.preview, gate=task.gate),
            self._staging,
            scratch=work.scratch,
            accelerator=work.accelerator,
            progress=work.progress,
            sha256=task.source_sha256,
            selection=task.selection,
            names=task.names,
        )
        is_named = not task.source.location.is_prefix
        with closing(pipeline.run([Item(work.source, entry, is_named) for entry in objects])) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome.result, PassedOver):
                    say_passed_over([outcome.result])
                    continue
                if isinstance(outcome.result, Exception):
                    raise outcome.result
                say_notes(outcome.uri, outcome.notes)
                if outcome.dropped.total:
                    write_message(f"{outcome.dropped} of {outcome.uri} left out")
                self._made.append(outcome.result)
        return [each.output for each in self._made], [staged for each in self._made for staged in each.staged]

    def adopt(self) -> list[Output]:
        """Return what another run has published meanwhile in place of these outputs.

        Raises:
            ConflictError: one of them was made from something else.
        """
        return [self._staging.adopt(made) for made in self._made]


def compress_all(work: Work, started_s: float) -> Result:
    """Make the outputs of the whole source and publish them, the manifest last.

    Raises:
        WorkerError: names the object and the remedy.
    """
    publication, store = work.publication, work.store
    manifest = publication.resume(work.task.manifest_key)
    if manifest is not None:  # what the earlier attempt has made is made again only where the source has changed since
        work = replace(work, task=replace(work.task, use_cache=True))
    task = work.task
    describe = describing(work, started_s)
    making = Making(work)
    outputs, staged = making.run(list_source(work))
    if not outputs:
        raise NoSceneError.of_archives(task.source.location.uri, task.selection)
    has_sheet = task.preview and len(outputs) > 1
    if has_sheet:
        staged += stage_sheet(task, outputs, staged, publication=publication, scratch=work.scratch)
    if manifest is None or staged or {each.uri for each in outputs} != uris(manifest):
        try:
            manifest = publication.commit(staged, describe(outputs, has_sheet).to_manifest())
        except ConflictError:  # what the faster run has published stays, if it is what this one has made
            adopted = making.adopt()
            has_sheet = has_sheet and is_sheet_of(look_up(store, task.sheet_key), adopted)
            manifest = publication.commit([], describe(adopted, has_sheet).to_manifest())
    else:
        publication.close()
    return Result.from_manifest(manifest, task.encoder)


def compress_shard(work: Work, shard: Shard, started_s: float) -> Result:
    """Make and publish the outputs of one shard, and the manifest of all if no other shard is missing then.

    Raises:
        WorkerError: names the object and the remedy.
    """
    gathering = Gathering(work.task, shard, work.store, work.scratch)
    plan = gathering.agree(lambda: list_source(work))
    if plan is None:
        return gathering.recall()
    work.publication.resume(gathering.part_key)
    own = gathering.own_part(plan)
    if own is not None:
        work.publication.close()
    else:
        describe = describing(work, started_s)
        making = Making(work)
        outputs, staged = making.run(plan.of(shard.index))
        gathering.check(plan)
        part = gathering.describe(describe(outputs, False), plan)
        try:
            part = work.publication.commit(staged, part)
        except ConflictError:  # as above
            part = gathering.describe(describe(making.adopt(), False), plan)
            part = work.publication.commit([], part)
        own = Result.from_manifest(part, work.task.encoder)
    return gathering.conclude(plan, own)


def list_source(work: Work) -> list[SourceObject]:
    """List what is taken of the task's source, and say what of it is passed over."""
    task = work.task
    objects, passed_over = find_objects(work.source, task.source.location, task.selection, task.names)
    say_passed_over(passed_over)
    return objects


def describing(work: Work, started_s: float) -> Describe:
    """Give what makes a result of the outputs of an attempt that began at `started_s` on the monotonic clock."""

    def describe(outputs: Sequence[Output], has_sheet: bool) -> Result:
        seconds = time.monotonic() - started_s
        return Result(
            outputs=tuple(outputs),
            manifest_uri=work.store.uri(work.task.manifest_key),
            seconds=seconds,
            gpu_seconds=seconds if work.accelerator.name == "cuda" else 0.0,
            device=work.accelerator.product,
            encoder=work.task.encoder,
            sheet_uri=work.store.uri(work.task.sheet_key) if has_sheet else None,
        )

    return describe


def uris(manifest: Mapping[str, Any]) -> set[str]:
    """Return where the outputs of a manifest are."""
    return {document["uri"] for document in manifest["outputs"]}
