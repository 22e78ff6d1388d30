"""From an address to its store."""

from __future__ import annotations

from pathlib import Path

from sogs_worker.errors import UsageError
from sogs_worker.storage.base import ReadableStore, Store
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.location import Location

# The stores are imported when they are needed: the SDK alone takes a second.


def open_readable(
    location: Location, connection: Connection, *, scratch: Path, volumes: Path | None = None
) -> ReadableStore:
    """Open the place of a location for reading; see `open_store`."""
    if location.scheme != "https":
        return open_store(location, connection, scratch=scratch, volumes=volumes)
    from sogs_worker.storage.http.store import HttpStore

    return HttpStore(location.root, connection, query=location.query)


def open_store(location: Location, connection: Connection, *, scratch: Path, volumes: Path | None = None) -> Store:
    """Open the bucket or claim of a location for reading and writing; nothing is sent yet.

    Args:
        location: an object or prefix in it.
        connection: how to reach a server.
        scratch: a folder for the client's own files.
        volumes: the folder with the mounted claims; None where there are none.

    Raises:
        UsageError: nothing can be written there, or no claim is mounted.
        ConfigurationError: the connection's certificates or credentials cannot be used.
    """
    if location.scheme == "pvc":
        from sogs_worker.storage.local.store import LocalStore

        if volumes is None or not (volumes / location.root).is_dir():
            raise UsageError(f"the claim {location.root!r} of {location.uri} is not mounted here; give a path instead")
        return LocalStore(volumes / location.root, location.address)
    if location.scheme == "https":
        raise UsageError(f"{location.uri} cannot be written to; name s3://bucket/prefix/ or pvc://claim/path/")
    from sogs_worker.storage.s3.store import S3Store

    return S3Store(location.root, connection, scratch=scratch)
