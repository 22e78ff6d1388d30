"""Publishing all or nothing, in two steps that any later attempt may finish.

Outputs are uploaded under hidden names. When all of them are there, a record says what goes where; then the server
copies each to its own name, and the manifest comes last. Until the record is written a run that ends leaves everything
visible as it was, and the next attempt takes over what it has uploaded; after that, the next one does what the record
says, and none of the work again. Of two attempts at once the one that began last publishes: see `attempts`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sogs_worker.errors import SourceMissingError, StorageError, WorkerError
from sogs_worker.publish.attempts import Attempt, Claim
from sogs_worker.publish.staged import Publishing, Staged, describe_record, look_up
from sogs_worker.reporting.log import write_message
from sogs_worker.storage.base import ConflictError, Moved, Store, ignore_progress
from sogs_worker.storage.transfer.integrity import read_back, upload_verified


class Publication:
    """What one attempt at a task uploads."""

    def __init__(
        self, store: Store, folder: str, *, mark: Mapping[str, str], task: str, attempt: str, scratch: Path
    ) -> None:
        """Begin.

        Args:
            store: the destination.
            folder: for what is not published yet: see `Assignment.hidden_folder`.
            mark: metadata that say whose the manifest is.
            task: names the task: see `Assignment.digest`.
            attempt: tells this attempt from all others.
            scratch: a folder for small files.
        """
        self.store = store
        self._mark = mark
        self._task = task
        self._scratch = scratch
        self._attempt = Attempt(store, folder, name=attempt, mark=mark, scratch=scratch)
        self._manifest_key = ""
        self._seen: str | None = None

    def check(self, manifest_key: str) -> None:
        """Raise what publishing would, as far as that can be known before there is something to publish."""
        self.store.check_upload(manifest_key)

    def resume(self, manifest_key: str) -> dict[str, Any] | None:
        """Begin, and finish what an earlier attempt has recorded; return its manifest if it was at the same task.

        Args:
            manifest_key: where the manifest goes. The one that is there now will be replaced, and no other.

        Raises:
            SupersededError: a later attempt has begun at the same time.
        """
        began_uploading(self._scratch).touch()
        manifest = None
        for folder in self._attempt.begin():
            claim = self._attempt.seal(folder)
            if claim and claim.record and self._finish(claim) and claim.record["task"] == self._task:
                manifest = dict(claim.record["manifest"])
        self._manifest_key, self._seen = manifest_key, self._version(manifest_key)
        return manifest

    def stage(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        progress: Moved = ignore_progress,
    ) -> Staged:
        """Upload a file under its hidden name, and prove that it arrived.

        Raises:
            SupersededError: a later attempt has begun.
        """
        self._attempt.require()
        hidden_key = self._attempt.folder + hidden_name(key)
        seen = self._version(key)
        with self._undisturbed():
            sha256 = upload_verified(
                self.store,
                path,
                hidden_key,
                scratch=self._scratch,
                content_type=content_type,
                metadata=metadata,
                progress=progress,
            )
        return Staged(key, hidden_key, sha256, seen, dict(metadata or {}))

    def earlier(self, key: str) -> Iterator[str]:
        """Give the folders of earlier attempts that have uploaded what is to be called so, the latest first."""
        return (folder for folder, keys in self._attempt.earlier.items() if folder + hidden_name(key) in keys)

    def adopt(self, folder: str, keys: Sequence[str]) -> list[Staged] | None:
        """Take over what an earlier attempt has uploaded; None if it is gone meanwhile, or is not what was sent.

        Args:
            folder: of that attempt.
            keys: what is to be called so; the last one comes last, and shows that the others are there.
        """
        try:
            adopted = [self._copy(folder + hidden_name(key), key) for key in keys]
            if not self._attempt.is_compared:  # the others were before the last one was sent
                self._read_back(adopted[-1])
        except (SourceMissingError, StorageError) as error:
            self._attempt.require()
            write_message(f"what an earlier attempt has made of {self.store.uri(keys[-1])} is made again: {error}")
            return None
        self.store.delete_many([folder + hidden_name(key) for key in keys])
        return adopted

    def commit(self, outputs: list[Staged], manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make the outputs visible, then the manifest; return the manifest.

        Raises:
            UsageError: the outputs cannot all have their names.
            ConflictError: another run has written to one of the keys since. None of these outputs replaces what it has
                written; what is there by now may be replaced by another call.
            SupersededError: a later attempt has begun: nothing was published, or it has gone on with this.
        """
        key = self._manifest_key
        self.store.check_keys([key, *(output.key for output in outputs)])
        record = describe_record(outputs, key, manifest, seen=self._seen, task=self._task)
        publishing = self._publishing(self._attempt.record(record))
        try:
            publishing.run()
        except (ConflictError, SourceMissingError) as error:
            try:
                self._attempt.withdraw()
            finally:
                publishing.withdraw_notes()
            self._seen = self._version(key)
            if isinstance(error, ConflictError):
                raise
            raise StorageError(f"{error}; it was removed before it was published: run it again") from error
        self.close()
        return dict(manifest)

    def close(self) -> None:
        """Remove what this attempt and earlier ones have hidden. What is published does not fail for that."""
        try:
            self._attempt.remove_all()
        except WorkerError as error:
            write_message(f"all is published, but what is hidden could not be removed: {error}", "warning")
            with suppress(WorkerError):
                self._attempt.withdraw()  # it is done: the next run has nothing to finish

    def discard(self, *, is_last: bool) -> None:
        """Remove what is of no use any more after a failure; see `Attempt.abandon`."""
        self._attempt.abandon(is_last=is_last)

    def _finish(self, claim: Claim) -> bool:
        """Do what an earlier attempt has recorded; say whether that could be done."""
        publishing = self._publishing(claim)
        try:
            publishing.run()
        except (ConflictError, SourceMissingError):  # written by others since, or cleaned up: the record is void
            if self._attempt.void(claim):
                publishing.withdraw_notes()
                self._attempt.remove(claim.folder)
            return False
        self._attempt.empty(claim.folder)  # so that nobody copies it once more
        return True

    def _publishing(self, claim: Claim) -> Publishing:
        return Publishing(self.store, claim.folder, claim.record, mark=self._mark, scratch=self._scratch)

    def _copy(self, source_key: str, key: str) -> Staged:
        """Copy what an earlier attempt has uploaded into this one's folder, which nobody else empties."""
        hidden_key = self._attempt.folder + hidden_name(key)
        seen = self._version(key)
        self.store.copy(source_key, hidden_key)
        there = self.store.stat(hidden_key)
        return Staged(key, hidden_key, there.sha256 or "", seen, there.metadata)

    def _read_back(self, staged: Staged) -> None:
        copy = self._scratch / f"adopted-{hidden_name(staged.key)}"  # several threads adopt
        read_back(self.store, staged.hidden_key, staged.sha256, copy)

    def _version(self, key: str) -> str | None:
        there = look_up(self.store, key)
        return there.etag if there else None

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Say what it means that something of this attempt's own is gone."""
        try:
            yield
        except SourceMissingError as error:
            self._attempt.require()
            raise StorageError(f"{error}; it was removed right after it was uploaded: run it again") from error


def hidden_name(key: str) -> str:
    """Name what is to be called so in an attempt's folder."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def began_uploading(scratch: Path) -> Path:
    """Name the file whose presence says that there may be something to discard; it outlives this process."""
    return scratch / "began-uploading"
