"""Whether what has arrived is what was sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sogs_worker.errors import StorageError
from sogs_worker.storage.base import Condition, Moved, WritableStore, ignore_progress


def digest_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def upload_verified(
    store: WritableStore,
    path: Path,
    key: str,
    *,
    scratch: Path,
    content_type: str,
    metadata: Mapping[str, str] | None = None,
    condition: Condition | None = None,
    progress: Moved = ignore_progress,
) -> str:
    """Upload a file and prove that it arrived: by the store's word, or else by downloading it again.

    Args:
        store: where to.
        path: the file.
        key: what it is called there.
        scratch: a folder for the copy.
        content_type: its media type.
        metadata: kept with it.
        condition: what must hold in the moment of publishing; None: what is there is replaced.
        progress: told of the bytes sent.

    Returns:
        The hexadecimal SHA-256 of its content.

    Raises:
        ConflictError: the condition does not hold.
        StorageError: something else came back.
    """
    sha256 = digest_file(path)
    receipt = store.upload(
        path,
        key,
        sha256=sha256,
        content_type=content_type,
        metadata=metadata,
        condition=condition,
        progress=progress,
    )
    if not receipt.is_verified:
        read_back(store, key, sha256, scratch / "read-back")
    return sha256


def read_back(store: WritableStore, key: str, sha256: str, copy: Path) -> None:
    """Download an object to the file `copy`, which is removed again; StorageError if it is not what was sent."""
    try:
        store.download(key, copy)
        got = digest_file(copy)
    finally:
        copy.unlink(missing_ok=True)
    if got != sha256:
        raise StorageError(
            f"{store.uri(key)} came back with the digest {got} instead of {sha256}; check the storage, and run it again"
        )
