"""The first stage: the source, complete and as announced, in scratch."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from sogs_worker.errors import BadInputError, StorageError
from sogs_worker.joblog import ProgressLog, counting
from sogs_worker.outputs import SCENE_SUFFIXES
from sogs_worker.publication import digest_file
from sogs_worker.storage.base import Store

SPACE_PER_SOURCE_BYTE = 1.5
"""Scratch has to hold the source, the bundle and the copy of the bundle that is read back."""
SPACE_AT_LEAST_BYTES = 16 << 20

DOWNLOAD_SHARE = 0.8
"""Part of the stage `read` that the download takes; parsing takes the rest."""


def fetch(store: Store, key: str, *, sha256: str | None, scratch: Path, log: ProgressLog) -> Path:
    """Download the scene at `key` and check it.

    Args:
        store: where it is.
        key: its name there.
        sha256: what its content must be; None: anything.
        scratch: the folder it goes to.
        log: told of the bytes.

    Returns:
        The file; its suffix is the key's.

    Raises:
        BadInputError: a format that cannot be read, or another content than announced.
        StorageError: scratch cannot hold it.
    """
    path = scratch / f"source{suffix(store.uri(key))}"
    size_bytes = store.stat(key).size_bytes
    require_space(scratch, size_bytes, store.uri(key))
    store.download(key, path, counting(size_bytes, log.part("read", 0.0, DOWNLOAD_SHARE)))
    if sha256 and (got := digest_file(path)) != sha256:
        raise BadInputError(
            f"{store.uri(key)} has the SHA-256 {got}, not {sha256}; upload the right file or correct spec.source.sha256"
        )
    return path


def suffix(uri: str) -> str:
    """Return the suffix that tells the format, if it is one that can be read: before any bytes are moved."""
    if not uri.lower().endswith(SCENE_SUFFIXES):
        kinds = " or ".join(SCENE_SUFFIXES)
        raise BadInputError(f"{uri} is of a kind that cannot be read; convert the scene to {kinds}")
    return PurePosixPath(uri).suffix.lower()


def require_space(scratch: Path, source_bytes: int, uri: str) -> None:
    """Refuse a source that scratch cannot hold."""
    needed_bytes = int(source_bytes * SPACE_PER_SOURCE_BYTE) + SPACE_AT_LEAST_BYTES
    free_bytes = shutil.disk_usage(scratch).free
    if free_bytes < needed_bytes:
        raise StorageError(
            f"{uri} needs {needed_bytes:,} bytes of scratch space and {free_bytes:,} are free;"
            " raise the ephemeral-storage of spec.resources or use a node with more disk"
        )
