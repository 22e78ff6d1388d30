"""What the pods of one run tell each other: a plan at the start, a part each at the end, then the manifest of all.

All of it is in a hidden folder that carries the run's name. The manifest's metadata say of which run it is: from then
on the folder is rubbish, whoever comes late leaves the manifest alone and removes the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sogs_worker.errors import BadInputError, StorageError, UsageError, WorkerError
from sogs_worker.publish.contact_sheet import publish_sheet
from sogs_worker.publish.manifest import Result
from sogs_worker.publish.records import read_json, upload_json
from sogs_worker.publish.staged import condition_of, look_up
from sogs_worker.reporting.log import write_message
from sogs_worker.shards.merge import in_order, merge, part_of
from sogs_worker.shards.plan import Plan, divide, parse_plan
from sogs_worker.source.objects import SourceObject
from sogs_worker.source.search import NoSceneError
from sogs_worker.storage.base import Condition, ConflictError, IfAbsent, Store, StoredObject
from sogs_worker.task.hidden import delete_below, hidden_home
from sogs_worker.task.shard import Shard
from sogs_worker.task.task import Task

PLAN = "plan.json"
RUN, NUMBER = "run", "number"
"""Names of metadata: of the manifest and of plans, which run has made them; of plans, how late it began."""


class Gathering:
    """One pod's view of its run."""

    def __init__(self, task: Task, shard: Shard, store: Store, scratch: Path) -> None:
        """Begin.

        Args:
            task: the run.
            shard: the part that this pod does.
            store: the destination.
            scratch: a folder for small files.
        """
        self._task = task
        self._shard = shard
        self._store = store
        self._scratch = scratch
        self._folder = shard.run_folder(task.manifest_key)
        self._seen: dict[str, StoredObject | None] = {}

    @property
    def part_key(self) -> str:
        """Where this pod's part goes."""
        return self._shard.part_key(self._task.manifest_key, self._shard.index)

    def agree(self, find: Callable[[], Sequence[SourceObject]]) -> Plan | None:
        """Return the run's plan, which the first pod to come makes from what `find` gives; None once all is merged.

        Raises:
            BadInputError: what is there is no plan of this run.
            StorageError: the plan was removed meanwhile.
        """
        self._seen = {key: look_up(self._store, key) for key in (self._task.manifest_key, self._task.sheet_key)}
        plan = self._read_plan()
        if plan is None and not self.is_merged:
            self._offer(divide(find(), self._shard.count))
            plan = self._read_plan()
        # Asked after the plan was read: it is removed after the manifest is there, and may have been made anew.
        if self.is_merged:
            return None
        if plan is None:
            raise self._lost_plan()
        return plan

    def check(self, plan: Plan) -> None:
        """Raise StorageError if the others do not work by this plan any more, and none of them has merged it."""
        there = look_up(self._store, self._folder + PLAN)
        if (there is None or there.sha256 != plan.digest) and not self.is_merged:
            raise self._lost_plan()

    def describe(self, result: Result, plan: Plan) -> dict[str, Any]:
        """Write this pod's part down."""
        return {**result.to_manifest(), "plan": plan.digest}

    def own_part(self, plan: Plan) -> Result | None:
        """Return what this pod has published by that plan; None if it has not."""
        return self._read_part(self._shard.index, plan)

    def conclude(self, plan: Plan, own: Result) -> Result:
        """Merge the parts if all are there, unless that is done; return this pod's own result.

        Raises:
            BadInputError: a part does not fit the plan, or there is no scene in all of the source.
            ConflictError: another run has written the manifest since this attempt began.
        """
        if not self._has_all_parts() and not self.is_merged:
            return own
        parts = [self._read_part(index, plan) for index in range(self._shard.count)]
        if not self.is_merged:  # asked after the parts were read: they are removed after the manifest is there
            found = [part for part in parts if part is not None]
            if len(found) < len(parts):
                return own
            self._merge(plan, found)
        return self.recall()

    def recall(self) -> Result:
        """Return this pod's result from the manifest of all, and remove what the run has hidden.

        Raises:
            StorageError: the manifest is another's by now.
        """
        document = read_json(self._store, self._task.manifest_key, scratch=self._scratch)
        if document is None or not self.is_merged:
            uri = self._store.uri(self._task.manifest_key)
            raise StorageError(f"{uri} was removed or replaced during the run; let only one resource write there")
        self._clear()
        return part_of(document, self._shard.index, self._task.encoder)

    @property
    def is_merged(self) -> bool:
        """Whether the manifest is that of this run."""
        there = look_up(self._store, self._task.manifest_key)
        return there is not None and self._mark.items() <= there.metadata.items()

    @property
    def _mark(self) -> dict[str, str]:
        return {**self._task.mark, RUN: self._shard.run_id}

    def _merge(self, plan: Plan, parts: Sequence[Result]) -> None:
        """Write the manifest of all, and the contact sheet before it, in place of those that this attempt began with.

        Raises:
            NoSceneError: no part has an output.
            ConflictError: another run has written one of them since.
        """
        task, store = self._task, self._store
        try:
            made = in_order(plan, parts)
        except KeyError as error:
            raise self._broken("", error) from error
        outputs = [output for _, output in made]
        if not outputs:
            raise NoSceneError.of_archives(task.source.location.uri, task.selection)
        has_sheet = task.preview and len(outputs) > 1
        if has_sheet:
            condition = condition_of(self._seen[task.sheet_key])
            publish_sheet(task, outputs, store=store, scratch=self._scratch, condition=condition)
        manifest = merge(made, parts, store.uri(task.sheet_key) if has_sheet else None)
        try:
            self._upload(manifest, task.manifest_key, condition_of(self._seen[task.manifest_key]))
        except ConflictError:
            if not self.is_merged:  # by another pod of this run
                raise

    def _clear(self) -> None:
        """Remove the folder of this run and of earlier ones of this resource. No run that is published fails for it."""
        try:
            numbers = {folder: number_of(plan) for folder, plan in self._plans().items()}
            for folder, number in numbers.items():
                if number < numbers.get(self._folder, 0):
                    self._remove_run(folder)
            self._remove_run(self._folder)
        except WorkerError as error:
            write_message(f"all is published, but what is hidden could not be removed: {error}", "warning")

    def _remove_run(self, folder: str) -> None:
        """Remove the folder of a run, the plan last, by which the next one would find it."""
        delete_below(self._store, folder, keep=folder + PLAN)
        self._store.delete(folder + PLAN)

    def _plans(self) -> dict[str, StoredObject]:
        """Find the plans of this resource's runs, by their folders."""
        home = hidden_home(self._task.manifest_key)
        keys = [entry.key for entry in self._store.list(home) if PurePosixPath(entry.key).name == PLAN]
        found = {key.removesuffix(PLAN): look_up(self._store, key) for key in keys}
        mark = self._task.mark.items()
        return {folder: plan for folder, plan in found.items() if plan and mark <= plan.metadata.items()}

    def _offer(self, plan: Plan) -> None:
        number = 1 + max(map(number_of, self._plans().values()), default=0)
        try:
            self._upload(plan.to_document(), self._folder + PLAN, IfAbsent(), {NUMBER: str(number)})
        except ConflictError:
            return  # another pod was faster: its plan counts

    def _read_plan(self) -> Plan | None:
        document = self._read(PLAN)
        if document is None:
            return None
        try:
            return parse_plan(document, self._task.source.location, self._shard.count)
        except UsageError as error:
            raise self._broken(PLAN, error) from error

    def _has_all_parts(self) -> bool:
        """Say whether a part of every pod is there: one list, where reading them would be a request each."""
        there = {entry.key for entry in self._store.list(self._folder)}
        return all(self._shard.part_key(self._task.manifest_key, index) in there for index in range(self._shard.count))

    def _read_part(self, index: int, plan: Plan) -> Result | None:
        """Read a part, None if it is not there or was made by another plan."""
        name = PurePosixPath(self._shard.part_key(self._task.manifest_key, index)).name
        document = self._read(name)
        try:
            if document is None or document["plan"] != plan.digest:
                return None
            return Result.from_manifest(document, self._task.encoder)
        except (LookupError, TypeError, AttributeError) as error:
            raise self._broken(name, error) from error

    def _read(self, name: str) -> Any:
        try:
            return read_json(self._store, self._folder + name, scratch=self._scratch)
        except ValueError as error:
            raise self._broken(name, error) from error

    def _broken(self, name: str, error: Exception) -> BadInputError:
        uri = self._store.uri(self._folder + name)
        return BadInputError(f"{uri} is not what a pod of this run has written ({error}); delete it and run it again")

    def _lost_plan(self) -> StorageError:
        uri = self._store.uri(self._folder + PLAN)
        return StorageError(f"{uri} was removed or replaced during the run; the next attempt goes by the plan there is")

    def _upload(
        self, document: dict[str, Any], key: str, condition: Condition, metadata: Mapping[str, str] | None = None
    ) -> None:
        metadata = {**self._mark, **(metadata or {})}
        upload_json(self._store, document, key, scratch=self._scratch, metadata=metadata, condition=condition)


def number_of(plan: StoredObject) -> int:
    """Say how many runs of the resource a plan comes after, of those that have not been cleaned up."""
    return int(plan.metadata.get(NUMBER, 0))
