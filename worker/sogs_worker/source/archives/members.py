"""Which of an archive's files are scenes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.errors import BadInputError
from sogs_worker.naming import ARCHIVE_SUFFIXES, META, SCENE_SUFFIXES
from sogs_worker.source.archives.entries import Entry, check_name

MAX_META_BYTES = 1 << 20
"""The metadata of a scene has some 20 kB; other files of that name may have any length."""


@dataclass(frozen=True)
class Member:
    """A scene in an archive.

    Attributes:
        name: the path of its file, of an unbundled one that of its meta.json.
        size_bytes: of all its files, unpacked.
        entries: its files, that of `name` first.
    """

    name: PurePosixPath
    size_bytes: int
    entries: tuple[Entry, ...]


def is_archive(name: str) -> bool:
    """Say whether a file's name is an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_scene(name: str) -> bool:
    """Say whether a file's name is a scene's that is one file."""
    return name.lower().endswith(SCENE_SUFFIXES)


def is_hidden(path: PurePosixPath) -> bool:
    """Say whether a path is a system's own: dot-files, and what macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def plane_names(meta: bytes) -> list[str] | None:
    """Return the files that the metadata of an unbundled SOG names; None if it is something else's meta.json."""
    try:
        document = json.loads(meta)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("means"), dict):
        return None
    sections = [section for section in document.values() if isinstance(section, dict)]
    files = [section["files"] for section in sections if isinstance(section.get("files"), list)]
    return [
        name for names in files for name in names if isinstance(name, str) and name and PurePosixPath(name).name == name
    ]


def select_members(entries: Iterable[Entry], read: Callable[[Entry], bytes]) -> list[Member]:
    """Find the scenes among an archive's files, in the archive's order.

    Args:
        entries: its files.
        read: returns the content of one of them; called while `entries` stands at it.

    Raises:
        BadInputError: a scene cannot be unpacked or is there twice, or an archive lies in the archive. Its scenes
            would be lost if it were passed over, and a bomb's layers would multiply if it were opened.
    """
    files: dict[PurePosixPath, Entry] = {}
    planes: dict[Entry, list[str]] = {}
    twice: set[PurePosixPath] = set()
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if is_archive(entry.name.name):
            raise BadInputError(f"{entry.name} is an archive in an archive; unpack it first")
        if entry.name in files:
            twice.add(entry.name)
        files[entry.name] = entry
        if is_scene(entry.name.name):
            planes[entry] = []
        elif entry.name.name == META and entry.size_bytes <= MAX_META_BYTES:
            _check_entry(entry)
            names = plane_names(read(entry))
            if names is not None:
                planes[entry] = names
    return [_build_member(entry, names, files, twice) for entry, names in planes.items()]


def _build_member(
    entry: Entry, names: list[str], files: dict[PurePosixPath, Entry], twice: set[PurePosixPath]
) -> Member:
    """Collect a scene's files. A plane that is missing is told by who reads the scene."""
    beside = [files[path] for name in dict.fromkeys(names) if (path := entry.name.with_name(name)) in files]
    entries = (entry, *(plane for plane in beside if plane != entry))
    for each in entries:
        _check_entry(each)
        if each.name in twice:
            raise BadInputError(f"{each.name} is there twice; pack it once")
    return Member(entry.name, sum(each.size_bytes for each in entries), entries)


def _check_entry(entry: Entry) -> None:
    check_name(entry.name)
    if entry.obstacle:
        raise BadInputError(f"{entry.name} {entry.obstacle}")
