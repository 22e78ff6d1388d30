"""The one file that a command writes: to a path, to a bucket or to standard output."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sogs_worker.cli.places import connect, is_address, temporary_folder
from sogs_worker.cli.streams import STREAM, require_output, send
from sogs_worker.errors import UsageError
from sogs_worker.naming import PICTURE_TYPE
from sogs_worker.publish.staged import look_up
from sogs_worker.scenes.delivery import ExistsError, identify
from sogs_worker.storage.base import WritableStore
from sogs_worker.storage.local.files import LocalFiles
from sogs_worker.storage.location import parse_location
from sogs_worker.storage.opening import open_store
from sogs_worker.storage.transfer.integrity import upload_verified

MEDIA_TYPES = {".png": PICTURE_TYPE, ".glb": "model/gltf-binary"}
ANY_TYPE = "application/octet-stream"


@contextmanager
def opened_output(text: str, source: str, *, replaces: bool) -> Iterator[Path]:
    """Give the file to write; it is at its place when the block has ended without an error.

    Args:
        text: a path or an address; `-` is standard output.
        source: what must not be written to.
        replaces: whether a file that is there is replaced.

    Raises:
        WorkerError: nothing can be written there, which is known before the block begins where that is possible.
    """
    if text == STREAM:
        require_output(text)
        with temporary_folder(text) as scratch:
            path = scratch / "stdout"
            yield path
            send(path)
        return
    if not is_address(text):
        path = Path(text)
        _check(LocalFiles(path.parent), path.name, source, replaces=replaces)
        yield path
        return
    with temporary_folder(text) as scratch:
        location = parse_location(text, "OUT")
        store = open_store(location, connect("destination", os.environ), scratch=scratch)
        _check(store, location.key, source, replaces=replaces)
        path = scratch / PurePosixPath(location.key).name
        yield path
        content_type = MEDIA_TYPES.get(path.suffix.lower(), ANY_TYPE)
        upload_verified(store, path, location.key, scratch=scratch, content_type=content_type)


def _check(store: WritableStore, key: str, source: str, *, replaces: bool) -> None:
    """Refuse what must stay, and where nothing can be written."""
    uri = store.uri(key)
    if identify(uri) == identify(source):
        raise UsageError(f"{uri}: the input would be overwritten; name another output")
    store.check_keys([key])
    store.check_upload(key)
    if not replaces and look_up(store, key):
        raise ExistsError(f"{uri}: is there already; add --overwrite")
