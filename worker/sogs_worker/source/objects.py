"""What a source holds: the scenes and archives, and which output each becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sogs_worker.errors import BadInputError, SourceMissingError, WorkerError
from sogs_worker.naming import ARCHIVE_SUFFIXES, META, SCENE_SUFFIXES, name_files
from sogs_worker.source.archives import is_archive
from sogs_worker.source.archives.entries import check_name
from sogs_worker.source.archives.members import MAX_META_BYTES, is_hidden, plane_names
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.location import Location


@dataclass(frozen=True)
class Candidate:
    """What becomes a `SourceObject` when it has a name.

    Attributes:
        file: its path, relative to where it was looked for; names its output.
        key, size_bytes, etag, planes: as a `SourceObject` has them.
    """

    file: PurePosixPath
    key: str
    size_bytes: int
    etag: str | None = None
    planes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceObject:
    """A scene of one object or of several, or an archive of scenes.

    Attributes:
        key: in the source's store, of an unbundled scene that of its meta.json.
        size_bytes: of all its objects.
        etag: its version when it was looked at; None if it was only listed.
        output: name of its output without suffix, or of its outputs' folder, relative to the destination.
        planes: keys of the other objects of an unbundled scene.
    """

    key: str
    size_bytes: int
    etag: str | None
    output: PurePosixPath
    planes: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The key by which its files are found: those of an unbundled scene belong to the meta.json beside them."""
        return f"{self.key[: self.key.rfind('/') + 1]}{META}" if self.is_unbundled else self.key

    @property
    def is_archive(self) -> bool:
        """Whether it holds scenes rather than being one."""
        return is_archive(self.key)

    @property
    def is_unbundled(self) -> bool:
        """Whether it is a scene of several objects."""
        return is_json(self.key)


def find_objects(store: ReadableStore, location: Location, scratch: Path) -> list[SourceObject]:
    """List what a source holds: what it names, or all below a prefix that can be read, by their keys.

    Args:
        store: where the source is.
        location: the source.
        scratch: a folder for small files.

    Raises:
        BadInputError: what it names is of a kind that cannot be read.
        SourceMissingError: there is none.
    """
    candidates, faults = look_for_objects(store, location, scratch)
    if faults:
        raise faults[0]
    return name_objects(candidates)


def look_for_objects(
    store: ReadableStore, location: Location, scratch: Path
) -> tuple[list[Candidate], list[WorkerError]]:
    """List what a source holds, as `find_objects` does, and what is wrong with the objects that are left out.

    Raises:
        WorkerError: nothing can be listed, or there is nothing.
    """
    if not location.is_prefix:
        return [_look_at(store, location, scratch)], []
    candidates, faults = _list_objects(store, location, scratch)
    if not candidates and not faults:
        raise SourceMissingError(
            f"{store.uri(location.key)} has no scene and no archive; put one there or correct its name"
        )
    return candidates, faults


def name_objects(candidates: Sequence[Candidate]) -> list[SourceObject]:
    """Name the outputs, all different.

    Raises:
        UsageError: see `name_files`.
    """
    outputs = name_files([each.file for each in candidates])
    return [
        SourceObject(each.key, each.size_bytes, each.etag, output, each.planes)
        for each, output in zip(candidates, outputs, strict=True)
    ]


def name_object(location: Location) -> PurePosixPath:
    """Name the output of a source that is one object, or the folder of its outputs."""
    (output,) = name_files([_located(location.file, location)])
    return output


def _look_at(store: ReadableStore, location: Location, scratch: Path) -> Candidate:
    """Describe the one scene or archive that a source names."""
    key, uri = location.key, store.uri(location.key)
    require_readable(key, uri)
    there = store.stat(key)
    file = _located(location.file, location)
    check_name(file)
    if not is_json(key):
        return Candidate(file, key, there.size_bytes, there.etag)
    planes = _read_planes(store, key, there.size_bytes, scratch)
    if planes is None:
        raise BadInputError(f"{uri} is not the meta.json of an unbundled SOG scene; name a scene's")
    return Candidate(file, key, there.size_bytes + sum(store.stat(plane).size_bytes for plane in planes), None, planes)


def _list_objects(store: ReadableStore, location: Location, scratch: Path) -> tuple[list[Candidate], list[WorkerError]]:
    sizes = {entry.key: entry.size_bytes for entry in store.list(location.key)}
    candidates: list[Candidate] = []
    faults: list[WorkerError] = []
    for key, size_bytes in sizes.items():
        file = PurePosixPath(key.removeprefix(location.key))
        if not is_readable(key) or is_hidden(file):
            continue
        planes = _read_planes(store, key, size_bytes, scratch) if is_meta(key) else ()
        if planes is None:  # other programs have a meta.json too
            continue
        try:
            check_name(file)
        except WorkerError as fault:
            faults.append(fault)
            continue
        total_bytes = sum(sizes.get(each, 0) for each in (key, *planes))
        candidates.append(Candidate(_located(file, location), key, total_bytes, None, planes))
    return candidates, faults


def _located(file: PurePosixPath, location: Location) -> PurePosixPath:
    """Return the path that names a scene's output; a meta.json right in the source is named after its folder."""
    if file.name != META or len(file.parts) > 1:
        return file
    folder = PurePosixPath(location.key.rpartition("/")[0]).name or location.root
    return PurePosixPath(folder, META)


def _read_planes(store: ReadableStore, meta: str, size_bytes: int, scratch: Path) -> tuple[str, ...] | None:
    """Return the keys of the objects that a meta.json names, None if it is something else's."""
    if size_bytes > MAX_META_BYTES:
        return None
    copy = scratch / META
    store.download(meta, copy)
    names = plane_names(copy.read_bytes())
    copy.unlink()
    return None if names is None else tuple(dict.fromkeys(meta[: meta.rfind("/") + 1] + name for name in names))


def require_readable(key: str, uri: str) -> None:
    """Refuse a kind of file that cannot be read, before any bytes are moved."""
    if not (is_readable(key) or is_json(key)):
        kinds = ", ".join((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))
        raise BadInputError(f"{uri} is of a kind that cannot be read; convert the scene to one of {kinds}")


def is_readable(key: str) -> bool:
    """Say whether a name is that of a scene or an archive, or may be that of an unbundled scene."""
    return key.lower().endswith((*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES)) or is_meta(key)


def is_json(key: str) -> bool:
    """Say whether what is named is an unbundled scene's metadata, as which it may be called otherwise."""
    return key.lower().endswith(".json")


def is_meta(key: str) -> bool:
    """Say whether a file that was found may be an unbundled scene's metadata."""
    return PurePosixPath(key).name == META
