"""What has been uploaded under hidden names, and how all of it gets its own: in steps that two attempts may do at once.

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
from sogs_worker.publish.records import encode_json, upload_json
from sogs_worker.storage.base import (
    Condition,
    ConflictError,
    IfAbsent,
    IfMatch,
    ReadableStore,
    Receipt,
    Store,
    StoredObject,
)


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


def describe_record(
    outputs: Sequence[Staged], manifest_key: str, manifest: Mapping[str, Any], *, seen: str | None, task: str
) -> dict[str, Any]:
    """Write down what is about to become visible.

    Args:
        outputs: all that are to get their names.
        manifest_key: where the manifest goes.
        manifest: what comes last.
        seen: version of the manifest that it replaces; None: there is none.
        task: names what the attempt is at.
    """
    return {
        "task": task,
        "outputs": [asdict(output) for output in sorted(outputs, key=lambda output: (output.folder, output.key))],
        "manifestKey": manifest_key,
        "manifest": manifest,
        "manifestSeen": seen,
    }


class Publishing:
    """Does what a record says, from wherever an attempt or another one at the same time has left it."""

    def __init__(self, store: Store, folder: str, record: Mapping[str, Any], *, mark: Mapping[str, str], scratch: Path):
        """Describe it.

        Args:
            store: the destination.
            folder: of the attempt that has recorded it; names its notes.
            record: see `describe_record`.
            mark: metadata of the manifest and of notes.
            scratch: a folder for small files.
        """
        self._store = store
        self._note = note_of(folder)
        self._outputs = [Staged(**fields) for fields in record["outputs"]]
        self._manifest_key: str = record["manifestKey"]
        self._manifest: Mapping[str, Any] = record["manifest"]
        self._manifest_seen: str | None = record["manifestSeen"]
        self._mark = mark
        self._scratch = scratch

    def run(self) -> None:
        """Let all outputs have their names, then write the manifest.

        Raises:
            ConflictError: another run has written to one of the keys since. If that was known in time, nothing of this
                is visible.
            SourceMissingError: what was uploaded is not there any more.
        """
        due = [output for output in self._outputs if self._is_due(output)]
        is_manifest_due = self._is_manifest_due()
        for _, files in groupby(due, key=lambda output: output.folder):
            self._copy([*files])
        if is_manifest_due:
            self._write_manifest()

    def withdraw_notes(self) -> None:
        """Remove notes. A scene some of whose planes are others' meanwhile is left without metadata."""
        for output in self._outputs:
            there = look_up(self._store, output.key) if output.is_head else None
            if there and self._is_note(there):
                self._store.delete(output.key)

    def _copy(self, files: Sequence[Staged]) -> None:
        """Let the files of a folder have their names."""
        heads = [self._withdraw(each) for each in files if each.is_head]
        for each in [*(each for each in files if not each.is_head), *heads]:
            try:
                self._store.copy(each.hidden_key, each.key, condition=condition_of(each.seen))
            except (ConflictError, SourceMissingError):
                if self._is_due(each):  # unless another attempt was faster with the same
                    raise

    def _withdraw(self, head: Staged) -> Staged:
        """Put the note in a head's place, unless it is there; return the head that is to replace it."""
        there = look_up(self._store, head.key)
        if there and self._is_note(there):
            return replace(head, seen=there.etag)
        try:
            return replace(head, seen=self._upload_json(self._note, head.key, condition_of(head.seen)).etag)
        except ConflictError:
            there = look_up(self._store, head.key)
            if there and self._is_note(there):
                return replace(head, seen=there.etag)
            if self._is_due(head):
                raise
            return head

    def _is_note(self, there: StoredObject) -> bool:
        return there.sha256 == digest_document(self._note)

    def _is_due(self, output: Staged) -> bool:
        """Say whether an output is still to get its name; of all outputs, before the first of them does."""
        there = look_up(self._store, output.key)
        if there and (there.sha256, there.metadata) == (output.sha256, output.metadata):
            return False
        if output.is_head and there and self._is_note(there):
            return True
        self._require_seen(output.key, there, output.seen)
        return True

    def _is_manifest_due(self) -> bool:
        there = look_up(self._store, self._manifest_key)
        if there and there.sha256 == digest_document(self._manifest):
            return False
        self._require_seen(self._manifest_key, there, self._manifest_seen)
        return True

    def _write_manifest(self) -> None:
        try:
            self._upload_json(self._manifest, self._manifest_key, condition_of(self._manifest_seen))
        except ConflictError:
            if self._is_manifest_due():  # unless another attempt was faster with the same
                raise

    def _require_seen(self, key: str, there: StoredObject | None, seen: str | None) -> None:
        if (there.etag if there else None) != seen:
            raise ConflictError(f"{self._store.uri(key)} was written by another run meanwhile; that stays")

    def _upload_json(self, document: Mapping[str, Any], key: str, condition: Condition) -> Receipt:
        return upload_json(self._store, document, key, scratch=self._scratch, metadata=self._mark, condition=condition)


def condition_of(seen: StoredObject | str | None) -> Condition:
    """Say what must hold when something gets its name: nobody else has written there since it was seen, by its ETag."""
    if seen is None:
        return IfAbsent()
    return IfMatch(seen.etag if isinstance(seen, StoredObject) else seen)


def note_of(folder: str) -> dict[str, str]:
    """Write down that what is in a hidden folder is on its way to where this stands."""
    return {"publishing": folder}


def digest_document(document: Mapping[str, Any]) -> str:
    """Return the hexadecimal SHA-256 of a document as it is uploaded."""
    return hashlib.sha256(encode_json(document)).hexdigest()


def look_up(store: ReadableStore, key: str) -> StoredObject | None:
    """Describe the object at `key`, None where there is none."""
    try:
        return store.stat(key)
    except SourceMissingError:
        return None
