"""What a folder keeps of an object beside its content: files of its own, whose names begin with a dot."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from sogs_worker.storage.base import StoredObject

UNFINISHED = ".unfinished"
"""Suffix of a file that is still being written; a rename makes it the object."""
METADATA = ".metadata"
"""Suffix of the file that holds an object's metadata, its digest and the version that they belong to."""
LOCK = ".lock"


def beside(path: Path, suffix: str) -> Path:
    """Name a file of the store's own, in a length that any name of an object leaves room for."""
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".{name}{suffix}")


def unfinished(path: Path) -> Path:
    """Name a file that becomes `path`, another one at each call."""
    return beside(path, f".{uuid.uuid4().hex}{UNFINISHED}")


def is_own(name: str) -> bool:
    """Say whether a file is the store's own rather than an object."""
    return name.startswith(".") and name.endswith((UNFINISHED, METADATA, LOCK))


def version(status: os.stat_result) -> str:
    """Name the version of a file. A write in place changes its time, and a rename over it its inode.

    The content is not read for it: a scene may have gigabytes.
    """
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"


def describe(path: Path) -> StoredObject:
    """Describe a file, by what was written down of this version of it if anything was.

    Raises:
        OSError: it cannot be looked at.
    """
    status = path.stat()
    etag = version(status)
    try:
        document = json.loads(beside(path, METADATA).read_bytes())
        if document["version"] == etag:
            return StoredObject(status.st_size, document["sha256"], etag, dict(document["metadata"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or another program's
    return StoredObject(status.st_size, None, etag)


def write_description(path: Path, *, etag: str, sha256: str, metadata: Mapping[str, str]) -> None:
    """Write down what belongs to the version `etag` of the object at `path`.

    Raises:
        OSError: the file system refuses.
    """
    temporary = unfinished(path)
    temporary.write_text(json.dumps({"version": etag, "sha256": sha256, "metadata": dict(metadata)}))
    temporary.replace(beside(path, METADATA))
