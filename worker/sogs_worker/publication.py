"""Publishing all or nothing: what a run begins to upload is written down first, so that it can be withdrawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sogs_worker.errors import NotPermittedError, SourceMissingError, StorageError, WorkerError
from sogs_worker.joblog import write_message
from sogs_worker.storage.base import Moved, Store, ignore_progress


@dataclass(frozen=True)
class Entry:
    """An upload that was begun: its key and its content's digest."""

    key: str
    sha256: str


def digest_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Publication:
    """What one run uploads."""

    def __init__(self, store: Store, journal: Path) -> None:
        """Begin.

        Args:
            store: the destination.
            journal: a file that outlives this process; see `withdraw`.
        """
        self._store = store
        self._journal = journal

    def uri(self, key: str) -> str:
        """Name the object at `key`."""
        return self._store.uri(key)

    def retract_manifest(self, key: str) -> None:
        """Remove an earlier run's manifest: it says that all it names is complete, which is about to change."""
        try:
            self._store.stat(key)
        except (SourceMissingError, NotPermittedError):
            # Some servers say "not permitted" of a missing object to who may not list.
            return
        self._store.delete(key)

    def upload(self, path: Path, key: str, *, content_type: str, progress: Moved = ignore_progress) -> str:
        """Upload a file and return its digest."""
        entry = Entry(key, digest_file(path))
        with self._journal.open("a") as journal:
            journal.write(json.dumps(asdict(entry)) + "\n")
        self._store.upload(path, key, sha256=entry.sha256, content_type=content_type, progress=progress)
        return entry.sha256

    def read_back(self, key: str, copy: Path, *, sha256: str, progress: Moved = ignore_progress) -> None:
        """Download what was published to `copy` and compare it with what was sent."""
        self._store.download(key, copy, progress)
        if (got := digest_file(copy)) != sha256:
            raise StorageError(
                f"{self._store.uri(key)} came back with the digest {got} instead of {sha256};"
                " look for another writer of that key, or check the storage"
            )


def read_journal(journal: Path) -> Iterator[Entry]:
    """Read the uploads that were begun, in their order."""
    for line in journal.read_text().splitlines():
        yield Entry(**json.loads(line))


def withdraw(store: Store, journal: Path) -> None:
    """Remove what a run that failed has published, the latest first: so the manifest never outlives its outputs.

    An object with other content than the journal's is another run's and stays.
    """
    for entry in reversed(list(read_journal(journal))):
        try:
            remove(store, entry)
        except WorkerError as error:
            write_message(f"{store.uri(entry.key)} may be left over from this failed run, without a manifest: {error}")


def remove(store: Store, entry: Entry) -> None:
    """Remove one upload, finished or not."""
    try:
        store.abort_uploads(entry.key)
    finally:
        if holds(store, entry):
            store.delete(entry.key)


def holds(store: Store, entry: Entry) -> bool:
    """Say whether the store has this very content under the key."""
    try:
        return store.stat(entry.key).sha256 == entry.sha256
    except SourceMissingError:
        return False
