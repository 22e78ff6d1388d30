"""What a source holds: the objects with scenes, and which output each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.archives import is_archive
from sogs_worker.archives.members import is_hidden
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.outputs import ARCHIVE_SUFFIXES, SCENE_SUFFIXES, name_files
from sogs_worker.storage.base import Store
from sogs_worker.storage.location import Location


@dataclass(frozen=True)
class SourceObject:
    """An object that is a scene or an archive of scenes.

    Attributes:
        key: in the source's store.
        size_bytes: of the object.
        etag: its version when it was looked at; None if it was only listed.
        output: name of its output without suffix, or of its outputs' folder, relative to the destination.
    """

    key: str
    size_bytes: int
    etag: str | None
    output: PurePosixPath

    @property
    def is_archive(self) -> bool:
        """Whether it holds scenes rather than being one."""
        return is_archive(self.key)


def find_objects(store: Store, location: Location) -> list[SourceObject]:
    """List the objects of a source: the one that it names, or all below a prefix that can be read, by their keys.

    Raises:
        BadInputError: the one that it names is of a kind that cannot be read.
        SourceMissingError: there is none.
    """
    if not location.is_prefix:
        require_readable(location.key, store.uri(location.key))
        there = store.stat(location.key)
        (output,) = name_files([location.file])
        return [SourceObject(location.key, there.size_bytes, there.etag, output)]
    files = {entry: PurePosixPath(entry.key.removeprefix(location.key)) for entry in store.list(location.key)}
    scenes = {entry: file for entry, file in files.items() if is_readable(entry.key) and not is_hidden(file)}
    if not scenes:
        raise SourceMissingError(f"{location.uri} has no scene and no archive; upload one or correct spec.source.uri")
    outputs = name_files(list(scenes.values()))
    return [
        SourceObject(entry.key, entry.size_bytes, None, output) for entry, output in zip(scenes, outputs, strict=True)
    ]


def require_readable(key: str, uri: str) -> None:
    """Refuse a kind of file that cannot be read, before any bytes are moved."""
    if not is_readable(key):
        kinds = ", ".join((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))
        raise BadInputError(f"{uri} is of a kind that cannot be read; convert the scene to one of {kinds}")


def is_readable(key: str) -> bool:
    """Say whether a name is that of a scene or an archive."""
    return key.lower().endswith((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))
