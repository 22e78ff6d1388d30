"""Which of an archive's files are scenes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from sogs_worker.errors import BadInputError
from sogs_worker.naming import is_archive
from sogs_worker.source.archives.entries import Entry, check_name, shown
from sogs_worker.source.cameras import find_cameras
from sogs_worker.source.search import Judgement, NoSceneError, PassedOver, Scene, is_hidden, is_streamed, judge, settle
from sogs_worker.source.selection import Selection


@dataclass(frozen=True)
class Member:
    """A scene in an archive.

    Attributes:
        name: the path of its file, of an unbundled one that of its meta.json.
        size_bytes: of all its files, unpacked.
        entries: its files, that of `name` first.
        cameras: files of those that it was trained from, where they can be unpacked, see `CameraFiles`; the main one
            first.
    """

    name: PurePosixPath
    size_bytes: int
    entries: tuple[Entry, ...]
    cameras: tuple[Entry, ...] = ()


def select_members(
    entries: Iterable[Entry], read: Callable[[Entry, int], bytes], selection: Selection
) -> tuple[list[Member], list[PassedOver]]:
    """Find the scenes among an archive's files that are taken, in the archive's order, and what is passed over.

    Args:
        entries: its files.
        read: returns the first so many bytes of one of them; called while `entries` stands at it.
        selection: what is taken of this archive; nothing else is looked at but what tells which of it are scenes.

    Raises:
        BadInputError: a scene cannot be unpacked or is there twice, or an archive lies in the archive. Its scenes
            would be lost if it were passed over, and a bomb's layers would multiply if it were opened.
        NoSceneError: there is no file.
    """
    files: dict[PurePosixPath, Entry] = {}
    twice: set[PurePosixPath] = set()
    judgements: list[Judgement] = []
    for entry in entries:
        if is_hidden(entry.name):
            continue
        if is_archive(entry.name.name) and selection.may_hold(entry.name):
            raise BadInputError(f"{shown(str(entry.name))} is an archive in an archive; unpack it first")
        if entry.name in files:
            twice.add(entry.name)
        files[entry.name] = entry
        if selection.takes(entry.name) or is_streamed(entry.name.name):
            judgements.append(judge(entry.name, entry.size_bytes, partial(_read, read, entry)))
    if not files:
        raise NoSceneError("is empty; pack the scenes again")
    scenes, passed_over = settle(judgements, selection)
    usable = {path: entry for path, entry in files.items() if not entry.obstacle and path not in twice}
    members = [_build_member(scene, files, twice, usable) for scene in dict.fromkeys(scenes)]
    return members, passed_over


def _read(read: Callable[[Entry, int], bytes], entry: Entry, size_bytes: int) -> bytes:
    """Read the beginning of what may be a scene."""
    _check_obstacle(entry)
    return read(entry, size_bytes)


def _build_member(
    scene: Scene,
    files: Mapping[PurePosixPath, Entry],
    twice: set[PurePosixPath],
    usable: Mapping[PurePosixPath, Entry],
) -> Member:
    """Collect a scene's files, and those `usable` ones that its cameras are in.

    A plane that is missing is told by who reads the scene.
    """
    paths = dict.fromkeys([scene.file, *(scene.file.with_name(name) for name in scene.planes)])
    entries = tuple(files[path] for path in paths if path in files)
    for each in entries:
        check_name(each.name)
        _check_obstacle(each)
        if each.name in twice:
            raise BadInputError(f"{shown(str(each.name))} is there twice; pack it once")
    return Member(scene.file, sum(each.size_bytes for each in entries), entries, _find_cameras(scene.file, usable))


def _find_cameras(scene: PurePosixPath, files: Mapping[PurePosixPath, Entry]) -> tuple[Entry, ...]:
    """Collect the files of the cameras that a scene was trained from."""
    for found in find_cameras(str(scene), str(scene)):
        if (main := PurePosixPath(found.main)) in files:
            others = (PurePosixPath(key) for key in found.others)
            return files[main], *(files[path] for path in others if path in files)
    return ()


def _check_obstacle(entry: Entry) -> None:
    if entry.obstacle:
        raise BadInputError(f"{shown(str(entry.name))} {entry.obstacle}")
