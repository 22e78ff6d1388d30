"""Looking for scenes and archives: what of a source is taken, before it has names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from urllib.parse import unquote

from sogs_worker.errors import BadInputError, NotPermittedError, SourceMissingError, UsageError, WorkerError
from sogs_worker.naming import ARCHIVE_SUFFIXES, BUNDLE_SUFFIX, META, SCENE_SUFFIXES, is_archive
from sogs_worker.source.archives.entries import check_name
from sogs_worker.source.names import FoundFile, locate
from sogs_worker.source.search import (
    HEADER_BYTES,
    MAX_META_BYTES,
    NO_SPLATS,
    Judgement,
    PassedOver,
    is_ply,
    is_streamed,
    judge,
    may_have_splats,
    plane_names,
    settle,
    summarize,
)
from sogs_worker.source.selection import ROOT, Selection
from sogs_worker.storage.base import ReadableStore
from sogs_worker.storage.location import Location
from sogs_worker.storage.transfer.parallel import map_in_threads

LOOKS = 16
"""Objects whose beginnings are asked for at once: as many as there are connections."""


@dataclass(frozen=True)
class Candidate:
    """What becomes a `SourceObject` when it has a name.

    Attributes:
        found_file: what names its output.
        key, size_bytes, etag, planes, below: as a `SourceObject` has them.
    """

    found_file: FoundFile
    key: str
    size_bytes: int
    etag: str | None = None
    planes: tuple[str, ...] = ()
    below: PurePosixPath = ROOT


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    Attributes:
        candidates: scenes and archives, by their keys.
        faults: what is wrong with scenes that are left out.
        passed_over: what only looks like a scene.
    """

    candidates: list[Candidate]
    faults: list[WorkerError]
    passed_over: list[PassedOver]


def look_for_objects(store: ReadableStore, location: Location, selection: Selection) -> Contents:
    """List what is taken of a source, not yet named.

    Below a prefix, a PLY or metadata takes a request, which also tells its version; all others go by their names.

    Raises:
        WorkerError: nothing can be listed, or there is nothing.
    """
    if location.is_prefix:
        return _list_objects(store, location, selection)
    require_many(location, store.uri(location.key), selection)
    return Contents([_look_at(store, location)], [], [])


def require_many(location: Location, uri: str, selection: Selection) -> None:
    """Refuse to select from a source that is one scene.

    Raises:
        UsageError: it is.
    """
    if selection and not (location.is_prefix or is_archive(location.key)):
        fields = " and ".join(f"spec.source.{name}" for name, globs in selection.lists if globs)
        raise UsageError(
            f"{uri} is one scene and {fields} cannot select from it; name a folder or an archive, or no globs"
        )


def _look_at(store: ReadableStore, location: Location) -> Candidate:
    """Describe the one scene or archive that a source names."""
    key, uri = location.key, store.uri(location.key)
    found_file = found_file_of(location.file, location, uri)
    require_readable(key, uri)
    check_name(found_file.file)
    if is_streamed(key):
        raise BadInputError(f"{uri} is the manifest of a streamed SOG; `convert` it to .ply first, or name its source")
    if not (is_ply(key) or is_json(key)):
        there = store.stat(key)
        return Candidate(found_file, key, there.size_bytes, there.etag)
    content, there = store.peek(key, MAX_META_BYTES if is_json(key) else HEADER_BYTES)
    if is_ply(key):
        if not may_have_splats(content):
            raise BadInputError(f"{uri} {NO_SPLATS}; name a scene")
        return Candidate(found_file, key, there.size_bytes, there.etag)
    names = plane_names(content) if there.size_bytes <= MAX_META_BYTES else None
    if names is None:
        raise BadInputError(f"{uri} is not the meta.json of an unbundled SOG scene; name a scene's")
    planes = plane_keys(key, names)
    size_bytes = there.size_bytes + sum(store.stat(plane).size_bytes for plane in planes)
    return Candidate(found_file, key, size_bytes, None, planes)


def _list_objects(store: ReadableStore, location: Location, selection: Selection) -> Contents:
    sizes = {entry.key: entry.size_bytes for entry in store.list(location.key)}
    keys = _select_keys(sizes, location, selection)
    etags: dict[PurePosixPath, str] = {}

    def judge_file(file: PurePosixPath) -> Judgement:
        def read(size_bytes: int) -> bytes:
            try:
                content, there = store.peek(keys[file], size_bytes)
            except (NotPermittedError, SourceMissingError):  # which is told when it is needed
                return b""
            etags[file] = there.etag
            return content

        return judge(file, sizes[keys[file]], read)

    scenes, others = settle(map_in_threads(judge_file, keys, LOOKS), selection)
    passed_over = [replace(each, name=store.uri(keys[PurePosixPath(each.name)])) for each in others]
    if not scenes:
        wanted, wrong = (f" that {selection}", "the globs") if selection else ("", "its name")
        raise SourceMissingError(
            f"{store.uri(location.key)} has no scene and no archive{wanted}{summarize(passed_over)}; put one there or"
            f" correct {wrong}"
        )
    candidates: list[Candidate] = []
    faults: list[WorkerError] = []
    for scene in scenes:
        try:
            check_name(scene.file)
        except WorkerError as fault:
            faults.append(fault)
            continue
        key = keys[scene.file]
        planes = plane_keys(key, scene.planes)
        size_bytes = sum(sizes.get(each, 0) for each in (key, *planes))
        etag = None if is_meta(key) else etags.get(scene.file)
        found_file = found_file_of(scene.file, location, store.uri(key))
        candidates.append(Candidate(found_file, key, size_bytes, etag, planes, scene.file))
    return Contents(candidates, faults, passed_over)


def _select_keys(keys: Iterable[str], location: Location, selection: Selection) -> dict[PurePosixPath, str]:
    """Return what is to be looked at, by its path: what may be taken, and which of that are parts of a streamed SOG."""
    paths = {PurePosixPath(key.removeprefix(location.key)): key for key in keys}
    taken = {
        path: key
        for path, key in paths.items()
        if is_readable(key) and (selection.may_hold(path) if is_archive(key) else selection.takes(path))
    }
    if not any(is_meta(key) or key.lower().endswith(BUNDLE_SUFFIX) for key in taken.values()):
        return taken
    return {path: key for path, key in paths.items() if path in taken or is_streamed(key)}


def found_file_of(file: PurePosixPath, location: Location, uri: str) -> FoundFile:
    """Describe a scene or an archive for its name."""
    folder = PurePosixPath(location.key.rpartition("/")[0]).name
    home = (unquote(folder) if location.scheme == "https" else folder) or location.root
    return FoundFile(locate(file, home), home, uri)


def plane_keys(meta: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of the objects that a meta.json names, which lie beside it."""
    return tuple(dict.fromkeys(meta[: meta.rfind("/") + 1] + name for name in names))


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
