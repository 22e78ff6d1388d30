"""What a source holds: the objects with scenes, and which output each becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.archives import is_archive
from sogs_worker.archives.members import is_hidden
from sogs_worker.errors import BadInputError, SourceMissingError
from sogs_worker.outputs import ARCHIVE_SUFFIXES, SCENE_SUFFIXES, Origin, name_outputs
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
        (output,) = name_objects([location.file])
        return [SourceObject(location.key, there.size_bytes, there.etag, output)]
    files = {entry: PurePosixPath(entry.key.removeprefix(location.key)) for entry in store.list(location.key)}
    scenes = {entry: file for entry, file in files.items() if is_readable(entry.key) and not is_hidden(file)}
    if not scenes:
        raise SourceMissingError(f"{location.uri} has no scene and no archive; upload one or correct spec.source.uri")
    outputs = name_objects(list(scenes.values()))
    return [
        SourceObject(entry.key, entry.size_bytes, None, output) for entry, output in zip(scenes, outputs, strict=True)
    ]


def name_objects(files: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Name the output of each scene, and the folder of each archive's outputs, without suffixes.

    From the names alone, so that an archive need not be opened to know what others become: it gives its stem to a
    folder unless something else has that name.
    """
    scenes = [file for file in files if not is_archive(file.name)]
    named = dict(zip(scenes, map(bare, name_outputs([Origin(scene) for scene in scenes])), strict=True))
    stems = {file: stem(file, ARCHIVE_SUFFIXES) for file in files if is_archive(file.name)}
    uses = Counter(stems.values())
    taken = {*named.values(), *(parent for file in files for parent in file.parents)}
    folders = {file: name if uses[name] == 1 and name not in taken else file for file, name in stems.items()}
    return [named.get(file) or folders[file] for file in files]


def name_members(folder: PurePosixPath, members: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Name the outputs of an archive's scenes, without suffixes; the only scene gets the archive's own name."""
    if len(members) == 1:
        return [folder]
    return [folder / bare(name) for name in name_outputs([Origin(member) for member in members])]


def require_readable(key: str, uri: str) -> None:
    """Refuse a kind of file that cannot be read, before any bytes are moved."""
    if not is_readable(key):
        kinds = ", ".join((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))
        raise BadInputError(f"{uri} is of a kind that cannot be read; convert the scene to one of {kinds}")


def is_readable(key: str) -> bool:
    """Say whether a name is that of a scene or an archive."""
    return key.lower().endswith((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))


def bare(output: PurePosixPath) -> PurePosixPath:
    """Take the bundle's suffix off."""
    return output.with_suffix("")


def stem(file: PurePosixPath, suffixes: Sequence[str]) -> PurePosixPath:
    """Take the longest of some suffixes off."""
    longest = max((suffix for suffix in suffixes if file.name.lower().endswith(suffix)), key=len, default="")
    return file.with_name(file.name[: len(file.name) - len(longest)] or file.name)
