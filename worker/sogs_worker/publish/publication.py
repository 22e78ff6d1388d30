"""Publishing all or nothing, in two steps that any process may finish.

Outputs are uploaded under hidden names. When all of them are there, a record says what goes where; then the server
copies each to its own name, and the manifest comes last. Until the record is written a run that ends leaves everything
visible as it was; after that, the next run of the same task does what the record says, and none of the work again.

An output of several files has its meta.json last. While the others change, a note is in its place: nobody reads the
planes of one scene by the metadata of another, and of two runs only the one whose note it is goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from sogs_worker.errors import SourceMissingError
from sogs_worker.naming import META
from sogs_worker.publish.records import encode_json, read_json, upload_json
from sogs_worker.storage.base import (
    Condition,
    ConflictError,
    IfAbsent,
    IfMatch,
    Moved,
    ReadableStore,
    Receipt,
    Store,
    StoredObject,
    ignore_progress,
)
from sogs_worker.storage.transfer.integrity import upload_verified
from sogs_worker.task.hidden import delete_below

RECORD = "record.json"


@dataclass(frozen=True)
class Staged:
    """An output under its hidden name.

    Attributes:
        key: the name that it is to get.
        hidden_key: the name that it has.
        sha256: hexadecimal digest of its content.
        seen: version of the object that it replaces; None: there was none.
        metadata: kept with it.
    """

    key: str
    hidden_key: str
    sha256: str
    seen: str | None
    metadata: Mapping[str, str]

    @property
    def folder(self) -> PurePosixPath:
        """Where it goes: of a scene's several files the same."""
        return PurePosixPath(self.key).parent

    @property
    def is_head(self) -> bool:
        """Whether it is what a reader begins with, to find other files by it."""
        return PurePosixPath(self.key).name == META

    @property
    def condition(self) -> Condition:
        """What must hold when it gets its name: nobody else has written there since."""
        return IfAbsent() if self.seen is None else IfMatch(self.seen)


class Publication:
    """What one attempt at a task uploads."""

    def __init__(self, store: Store, folder: str, *, mark: Mapping[str, str], attempt: str, scratch: Path) -> None:
        """Begin.

        Args:
            store: the destination.
            folder: for what is not published yet: see `Assignment.hidden_folder`.
            mark: metadata that say whose the manifest is.
            attempt: tells this attempt's uploads from another's.
            scratch: a folder for small files.
        """
        self.store = store
        self._mark = mark
        self._folder = folder
        self._attempt = attempt
        self._scratch = scratch

    def check(self, manifest_key: str) -> None:
        """Raise what publishing would, as far as that can be known before there is something to publish."""
        for key in (manifest_key, self._folder + RECORD):
            self.store.check_upload(key)

    def resume(self) -> dict[str, Any] | None:
        """Finish what an earlier attempt has recorded and return its manifest; otherwise remove what it has left."""
        record = self._read_record()
        if record is None:
            delete_below(self.store, self._folder)
            return None
        try:
            return self._publish(record)
        except (ConflictError, SourceMissingError):  # written by others since, or cleaned up: the record is void
            self._abandon(record)
            return None

    def stage(
        self,
        path: Path,
        key: str,
        *,
        content_type: str,
        metadata: Mapping[str, str] | None = None,
        progress: Moved = ignore_progress,
    ) -> Staged:
        """Upload a file under its hidden name, and prove that it arrived."""
        began_uploading(self._scratch).touch()
        hidden_key = self._own_folder + hashlib.sha256(key.encode()).hexdigest()[:16]
        there = look_up(self.store, key)
        sha256 = upload_verified(
            self.store,
            path,
            hidden_key,
            scratch=self._scratch,
            content_type=content_type,
            metadata=metadata,
            progress=progress,
        )
        return Staged(key, hidden_key, sha256, there.etag if there else None, dict(metadata or {}))

    def commit(self, outputs: list[Staged], manifest_key: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make the outputs visible, then the manifest; return the manifest.

        Raises:
            UsageError: the outputs cannot all have their names.
            ConflictError: another run has written to one of the keys since, or commits the same task just now. None of
                these outputs replaces what it has written, and the hidden ones are removed.
        """
        self.store.check_keys([manifest_key, *(output.key for output in outputs)])
        record = {
            "outputs": [asdict(output) for output in sorted(outputs, key=lambda output: (output.folder, output.key))],
            "manifestKey": manifest_key,
            "manifest": manifest,
        }
        try:
            self._upload_json(record, self._folder + RECORD, IfAbsent())
        except ConflictError:  # another attempt's record, which needs what that one has uploaded
            delete_below(self.store, self._own_folder)
            raise
        try:
            return self._publish(record)
        except ConflictError:
            self._abandon(record)
            raise

    def discard(self) -> None:
        """Remove what this attempt has uploaded, unless it is recorded: then the next attempt makes it visible."""
        if self._read_record() is None:
            delete_below(self.store, self._own_folder)

    @property
    def _own_folder(self) -> str:
        return f"{self._folder}{self._attempt}/"

    def _publish(self, record: Mapping[str, Any]) -> dict[str, Any]:
        outputs = [Staged(**fields) for fields in record["outputs"]]
        due = [output for output in outputs if self._is_due(output)]
        for _, files in groupby(due, key=lambda output: output.folder):
            self._copy([*files])
        self._upload_json(record["manifest"], record["manifestKey"])
        self._clear()
        return dict(record["manifest"])

    def _copy(self, files: Sequence[Staged]) -> None:
        """Let the files of a folder have their names."""
        heads = [self._withdraw(each) for each in files if each.is_head]
        for each in [*(each for each in files if not each.is_head), *heads]:
            self.store.copy(each.hidden_key, each.key, condition=each.condition)

    def _withdraw(self, head: Staged) -> Staged:
        """Put the note in a head's place, unless it is there; return the head that is to replace it."""
        there = look_up(self.store, head.key)
        if there and self._is_note(there):
            return replace(head, seen=there.etag)
        return replace(head, seen=self._upload_json(note_of(self._folder), head.key, head.condition).etag)

    def _is_note(self, there: StoredObject) -> bool:
        return there.sha256 == digest_note(self._folder)

    def _is_due(self, output: Staged) -> bool:
        """Say whether an output is still to get its name; of all outputs, before the first of them does."""
        there = look_up(self.store, output.key)
        if there and (there.sha256, there.metadata) == (output.sha256, output.metadata):
            return False
        if output.is_head and there and self._is_note(there):
            return True
        if (there.etag if there else None) != output.seen:
            raise ConflictError(f"{self.store.uri(output.key)} was written by another run meanwhile; that stays")
        return True

    def _abandon(self, record: Mapping[str, Any]) -> None:
        """Give up what is recorded. A scene some of whose planes are others' meanwhile is left without metadata."""
        for key in (output["key"] for output in record["outputs"]):
            there = look_up(self.store, key)
            if there and self._is_note(there):
                self.store.delete(key)
        self._clear()

    def _clear(self) -> None:
        """Remove the hidden folder, the record first: without it what is left is rubbish that nobody acts upon."""
        self.store.delete(self._folder + RECORD)
        delete_below(self.store, self._folder)

    def _read_record(self) -> dict[str, Any] | None:
        record: dict[str, Any] | None = read_json(self.store, self._folder + RECORD, scratch=self._scratch)
        return record

    def _upload_json(self, document: Mapping[str, Any], key: str, condition: Condition | None = None) -> Receipt:
        return upload_json(self.store, document, key, scratch=self._scratch, metadata=self._mark, condition=condition)


def note_of(folder: str) -> dict[str, str]:
    """Write down that what is in a hidden folder is on its way to where this stands."""
    return {"publishing": folder}


def digest_note(folder: str) -> str:
    """Return the hexadecimal SHA-256 of a folder's note."""
    return hashlib.sha256(encode_json(note_of(folder))).hexdigest()


def began_uploading(scratch: Path) -> Path:
    """Name the file whose presence says that there may be something to discard; it outlives this process."""
    return scratch / "began-uploading"


def look_up(store: ReadableStore, key: str) -> StoredObject | None:
    """Describe the object at `key`, None where there is none."""
    try:
        return store.stat(key)
    except SourceMissingError:
        return None
