"""A scene that a command reads whole: a path, or what is copied to scratch first, from an address or standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from sogs_worker.cli.places import connect, is_address, temporary_folder
from sogs_worker.cli.streams import STANDARD_INPUT, STREAM, receive, receive_any
from sogs_worker.errors import BadInputError, UsageError, WorkerError
from sogs_worker.formats.sog.streamed import read_manifest
from sogs_worker.naming import STREAMED, is_archive
from sogs_worker.source.cameras import companions, fetch_one
from sogs_worker.source.fetch import SceneFile, fetch
from sogs_worker.source.objects import find_objects
from sogs_worker.source.search import is_streamed
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.location import Location, parse_location
from sogs_worker.storage.opening import open_readable
from sogs_worker.storage.transfer.parallel import map_in_threads

UNITS_AT_ONCE = 4
"""Parts of a streamed SOG that are fetched at one time; each has some eight small files, one after the other."""


@contextmanager
def opened_scene(text: str) -> Iterator[SceneFile]:
    """Give the file of a scene, and what people call it, until the block ends.

    Raises:
        WorkerError: there is none. What the block finds wrong with the file is said of what was named.
    """
    with _opened(text, receive, _fetch_named_scene) as file:
        yield file


@contextmanager
def opened_cameras(text: str) -> Iterator[SceneFile]:
    """Give a file of cameras, as `opened_scene` does, with those beside it that it may need."""
    with _opened(text, receive_any, _fetch_cameras) as file:
        yield file


@contextmanager
def _opened(
    text: str, receive_to: Callable[[Path], Path], fetch_to: Callable[[ReadableStore, Location, Path], Path]
) -> Iterator[SceneFile]:
    """Give a file: where it lies, or where one of the two has copied it to, from standard input or an address."""
    if not (text == STREAM or is_address(text)):
        yield SceneFile(Path(text), str(Path(text)))
        return
    with temporary_folder(text) as scratch:
        if text == STREAM:
            file = SceneFile(receive_to(scratch), STANDARD_INPUT)
            with speaking_of(file):
                yield file
            return
        location = _parse(text)
        store = open_readable(location, connect("source", os.environ), scratch=scratch)
        path = scratch / "scene" / PurePosixPath(location.key).name
        path.parent.mkdir()
        with speaking_of(SceneFile(path, location.uri)):
            yield SceneFile(fetch_to(store, location, path), location.uri)


@contextmanager
def speaking_of(file: SceneFile) -> Iterator[None]:
    """Say of what was named, or of what lies beside it, what is wrong with the copies."""
    try:
        yield
    except WorkerError as error:
        base = file.uri[: file.uri.rfind("/") + 1]
        text = str(error).replace(str(file.path), file.uri).replace(f"{file.path.parent}/", base)
        raise type(error)(text) from error


def _parse(text: str) -> Location:
    location = parse_location(text, "IN")
    if location.is_prefix:
        raise UsageError(f"{location.uri}: is a folder; name one file in it")
    return location


def _fetch_cameras(store: ReadableStore, location: Location, path: Path) -> Path:
    store.download(location.key, path)
    for key in companions(location.key) if not location.query else ():  # a signed address is for one object
        fetch_one(store, key, path.with_name(PurePosixPath(key).name))
    return path


def _fetch_named_scene(store: ReadableStore, location: Location, path: Path) -> Path:
    if is_archive(location.key):
        raise BadInputError(f"{location.uri}: is an archive, not a scene; unpack it, or name it to `compress`")
    if is_streamed(location.key):
        return _fetch_streamed(store, location, path.with_name(STREAMED))
    _fetch_scene(store, location, path.parent)
    return path


def _fetch_scene(store: ReadableStore, location: Location, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (entry,), _ = find_objects(store, location)
    fetch(store, entry, sha256=None, folder=folder, is_known_by_content=False)


def _fetch_streamed(store: ReadableStore, location: Location, manifest: Path) -> Path:
    """Copy what belongs to the finest level, as it lies there."""
    store.download(location.key, manifest)
    base = location.key[: location.key.rfind("/") + 1]

    def fetch_unit(unit: PurePosixPath) -> None:
        name = quote(str(unit)) if location.scheme == "https" else str(unit)
        _fetch_scene(store, replace(location, key=base + name), manifest.parent / unit.parent)

    map_in_threads(fetch_unit, dict.fromkeys(read_manifest(manifest).files), UNITS_AT_ONCE)
    return manifest
