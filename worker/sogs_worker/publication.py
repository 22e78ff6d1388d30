"""Publishing all or nothing, in two steps that any process may finish.

Outputs are uploaded under hidden names. When all of them are there, a record says what goes where; then the server
copies each to its own name, and the manifest comes last. Until the record is written a run that ends leaves everything
visible as it was; after that, the next run of the same task does what the record says, and none of the work again.

An output of several files has its meta.json last. While the others change, a note is in its place: nobody reads the
planes of one scene by the metadata of another, and of two runs only the one whose note it is goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from sogs_worker.errors import SourceMissingError
from sogs_worker.outputs import META
from sogs_worker.storage.base import (
    HIDDEN,
    Condition,
    ConflictError,
    IfAbsent,
    IfMatch,
    Moved,
    Receipt,
    Store,
    StoredObject,
    ignore_progress,
)
from sogs_worker.storage.integrity import digest_file, upload_verified

RECORD = "record.json"
JSON_TYPE = "application/json"


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


def hidden_folder(manifest_key: str, task_digest: str) -> str:
    """Name the folder for what a task has not published yet: beside its manifest, and the same for all attempts."""
    manifest = PurePosixPath(manifest_key)
    folder = manifest.parent / HIDDEN / manifest.name.removesuffix(".manifest.json") / task_digest[:16]
    return f"{folder}/".removeprefix("./")


class Publication:
    """What one attempt at a task uploads."""

    def __init__(self, store: Store, folder: str, *, attempt: str, scratch: Path) -> None:
        """Begin.

        Args:
            store: the destination.
            folder: see `hidden_folder`.
            attempt: tells this attempt's uploads from another's.
            scratch: a folder for small files.
        """
        self.store = store
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
            self._delete_below(self._folder)
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
            self._delete_below(self._own_folder)
            raise
        try:
            return self._publish(record)
        except ConflictError:
            self._abandon(record)
            raise

    def discard(self) -> None:
        """Remove what this attempt has uploaded, unless it is recorded: then the next attempt makes it visible."""
        if self._read_record() is None:
            self._delete_below(self._own_folder)

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
        return replace(head, seen=self._upload_json(self._note, head.key, head.condition).etag)

    @property
    def _note(self) -> dict[str, str]:
        return {"publishing": self._folder}

    def _is_note(self, there: StoredObject) -> bool:
        return there.sha256 == hashlib.sha256(encode_json(self._note)).hexdigest()

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
        self._delete_below(self._folder)

    def _delete_below(self, folder: str) -> None:
        self.store.abort_uploads(folder)
        self.store.delete_many([entry.key for entry in self.store.list(folder)])

    def _read_record(self) -> dict[str, Any] | None:
        copy = self._scratch / RECORD
        try:
            self.store.download(self._folder + RECORD, copy)
            return dict(json.loads(copy.read_bytes()))
        except SourceMissingError:
            return None
        finally:
            copy.unlink(missing_ok=True)

    def _upload_json(self, document: Mapping[str, Any], key: str, condition: Condition | None = None) -> Receipt:
        path = self._scratch / "document.json"
        path.write_bytes(encode_json(document))
        return self.store.upload(path, key, sha256=digest_file(path), content_type=JSON_TYPE, condition=condition)


def encode_json(document: Mapping[str, Any]) -> bytes:
    """Write JSON for people too."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def began_uploading(scratch: Path) -> Path:
    """Name the file whose presence says that there may be something to discard; it outlives this process."""
    return scratch / "began-uploading"


def look_up(store: Store, key: str) -> StoredObject | None:
    """Describe the object at `key`, None where there is none."""
    try:
        return store.stat(key)
    except SourceMissingError:
        return None
