"""Which scenes of a source are taken: globs over their paths below it.

`*`, `?`, `[...]` and `[!...]` match within a part of a path, `**` as a part of its own any number of folders, case
counts, and the whole path must match. That is what `glob.glob(recursive=True)` finds. The standard library matches the
parts here too, by `fnmatch`; for whole paths it has `PurePath.full_match` from Python 3.13 on only. wcmatch would be a
dependency for the one rule about `**` that is written here, and pathspec's patterns are those of .gitignore, which
match at any depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from sogs_worker.errors import UsageError

GLOB_FORM = r"^[^/\x00-\x1f\x7f]+(/[^/\x00-\x1f\x7f]+)*$"
GLOB_FAULT = r"(^|/)[.]{1,2}(/|$)|[^/][*]{2}|[*]{2}[^/]"
"""What a glob must look like, and what must not be in it; the CRD has the same two, in RE2's syntax."""

MAX_GLOBS = 64
MAX_GLOB_CHARACTERS = 1024
SHOWN = 5
"""Globs that messages name."""

FOLDERS = "**"
ROOT = PurePosixPath()


@dataclass(frozen=True)
class Selection:
    """What is taken of a source.

    Attributes:
        include: globs of which a scene must match one; none: all are taken.
        exclude: globs of which it may match none.
        base: path of the archive in which the scenes lie, below the source.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    base: PurePosixPath = ROOT

    def __bool__(self) -> bool:
        """Whether it may leave anything out."""
        return bool(self.include or self.exclude)

    def __str__(self) -> str:
        """Say what is true of scenes that are taken, to be read after "a scene that"."""
        include, exclude = (f"spec.source.{name} {_name(globs)}" for name, globs in self.lists)
        if not self.include:
            return f"does not match {exclude}"
        return f"matches {include} and not {exclude}" if self.exclude else f"matches {include}"

    @property
    def lists(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The lists of globs by their names."""
        return ("include", self.include), ("exclude", self.exclude)

    def takes(self, path: PurePosixPath) -> bool:
        """Say whether the scene of a path is taken. What is said of an archive itself is said of all that it holds."""
        paths = (self.base, self.base / path) if self.base.parts else (path,)
        return (not self.include or _any_matches(self.include, paths)) and not _any_matches(self.exclude, paths)

    def may_hold(self, archive: PurePosixPath) -> bool:
        """Say whether a scene in an archive can be taken, whatever the archive holds."""
        path = self.base / archive
        may_match = not self.include or any(_places(glob, path) for glob in self.include)
        return may_match and not any(matches_all_below(glob, path) for glob in self.exclude)

    def inside(self, archive: PurePosixPath) -> Selection:
        """Return what is taken of an archive; its path is `ROOT` if it is the source itself."""
        return replace(self, base=self.base / archive)


ALL = Selection()


def parse_selection(include: Iterable[str], exclude: Iterable[str]) -> Selection:
    """Check globs.

    Raises:
        UsageError: one of them matches nothing or not what it seems to, or there are too many.
    """
    selection = Selection(tuple(include), tuple(exclude))
    for name, globs in selection.lists:
        if len(globs) > MAX_GLOBS:
            raise UsageError(f"spec.source.{name} has {len(globs)} globs; it may have {MAX_GLOBS}, so join some")
        for glob in globs:
            if not is_glob(glob):
                raise UsageError(
                    f"spec.source.{name} has {glob!r}; a glob is a path below the source without '.', '..' and empty"
                    " parts, with ** as a whole part only, for example **/point_cloud/*.ply"
                )
    return selection


def is_glob(text: str) -> bool:
    """Say whether a glob can match what it seems to."""
    is_path = re.fullmatch(GLOB_FORM, text) and not re.search(GLOB_FAULT, text)
    return bool(is_path) and len(text) <= MAX_GLOB_CHARACTERS


def matches(glob: str, path: PurePosixPath) -> bool:
    """Say whether a glob matches a whole path."""
    return len(glob.split("/")) in _places(glob, path)


def matches_all_below(glob: str, folder: PurePosixPath) -> bool:
    """Say whether a glob matches a folder itself, or all that can lie in it."""
    parts, places = glob.split("/"), _places(glob, folder)
    return len(parts) in places or (parts[-1] == FOLDERS and len(parts) - 1 in places)


def _name(globs: Sequence[str]) -> str:
    """Name the first few globs."""
    more = f" and {len(globs) - SHOWN} more" if len(globs) > SHOWN else ""
    return ", ".join(globs[:SHOWN]) + more


def _any_matches(globs: Iterable[str], paths: Iterable[PurePosixPath]) -> bool:
    return any(matches(glob, path) for glob in globs for path in paths)


def _places(glob: str, path: PurePosixPath) -> set[int]:
    """Return how many of a glob's parts may have been used up when all of a path's have; none if it cannot match."""
    parts = glob.split("/")
    places = _skip(parts, {0})
    for name in path.parts:
        places = _skip(parts, {after for place in places for after in _step(parts, place, name)})
    return places


def _step(parts: list[str], place: int, name: str) -> set[int]:
    """Use up one part of a path."""
    if place == len(parts):
        return set()
    if parts[place] == FOLDERS:  # at the end it stands for files too, of which there must be one
        return {place, place + 1} if place == len(parts) - 1 else {place}
    return {place + 1} if fnmatchcase(name, parts[place]) else set()


def _skip(parts: list[str], places: set[int]) -> set[int]:
    """Add where one is if `**` stands for no folder."""
    reached = set(places)
    for place in range(len(parts) - 1):
        if place in reached and parts[place] == FOLDERS:
            reached.add(place + 1)
    return reached
