"""Which of the files that a search meets are scenes, told by their names and first bytes.

What was named is not searched: whoever reads it says what is wrong with it. What is found and only looks like a scene
is passed over, so that a trainer's whole folder can be named, and reported. What may be a broken scene is a scene: it
would be missed.
"""

from __future__ import annotations

import json
import logging
import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sogs_worker.errors import BadInputError
from sogs_worker.naming import BUNDLE_SUFFIX, MAX_STREAMED_BYTES, META, SCENE_SUFFIXES, STREAMED, is_archive
from sogs_worker.source.selection import ALL, Selection

LOGGER = logging.getLogger(__name__)

HEADER_BYTES = 16 << 10
"""Read of a PLY: trainers' headers have 2 kB, and one request brings this as soon as one byte."""

MAX_META_BYTES = 1 << 20
"""The metadata of a scene has some 20 kB; other files of that name may have any length."""

SPLAT_PROPERTIES = frozenset({"opacity", "f_dc_0", "scale_0", "rot_0", "packed_position"})
"""A PLY with none of these was never meant for splats; one that lacks only some is a broken scene."""

NO_SPLATS = "is a PLY of points or a mesh, without splats"

NO_SCENE = "is an archive without a scene"
NONE_TAKEN = "is an archive without a scene that is taken"

PARTS = "is a streamed SOG, whose parts are no scenes; name the scene that it was made from"

SHOWN = 5
"""Files passed over that are told by name."""

Read = Callable[[int], bytes]
"""Gives the first so many bytes of a file, all of it if it has no more."""


@dataclass(frozen=True)
class Scene:
    """What may be a scene, or an archive of some.

    Attributes:
        file: its path, of an unbundled scene that of its meta.json.
        planes: names of the other files of an unbundled scene, beside it.
    """

    file: PurePosixPath
    planes: tuple[str, ...] = ()


@dataclass(frozen=True)
class PassedOver:
    """What looks like a scene and is none.

    Attributes:
        name: what people call it.
        reason: why it is none, to be read after its name.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Streamed:
    """A streamed SOG, whose parts are no scenes of their own: each is a level of a piece.

    Attributes:
        file: the path of its manifest.
        parts: paths of what the manifest names; None if it cannot be read.
    """

    file: PurePosixPath
    parts: frozenset[PurePosixPath] | None

    def has(self, scene: PurePosixPath) -> bool:
        """Say whether a scene is a part of this one; where nothing tells, every SOG below the manifest's folder is."""
        if self.parts is not None:
            return scene in self.parts
        is_sog = scene.name == META or scene.name.lower().endswith(BUNDLE_SUFFIX)
        return is_sog and self.file.parent in scene.parents


class NoSceneError(BadInputError):
    """A folder or an archive has no scene: refused if it was named, passed over if it was found."""

    @classmethod
    def of_archives(cls, name: str, selection: Selection) -> NoSceneError:
        """Say of a source that it has archives only, each of which was found and passed over."""
        wanted, wrong = (f" that {selection}", " or correct the globs") if selection else ("", "")
        return cls(f"{name} has archives only, and no scene{wanted} is in any; put one there{wrong}")


Judgement = Scene | Streamed | PassedOver | None


def judge(file: PurePosixPath, size_bytes: int, read: Read) -> Judgement:
    """Say what a file is, None if its name is no scene's; `read` is called once at most, of an empty file never."""
    name = file.name
    if is_hidden(file):
        return None
    if is_streamed(name):
        is_readable = 0 < size_bytes <= MAX_STREAMED_BYTES
        return Streamed(file, part_paths(file, read(size_bytes)) if is_readable else None)
    if name == META:
        planes = plane_names(read(size_bytes)) if 0 < size_bytes <= MAX_META_BYTES else None
        return None if planes is None else Scene(file, tuple(dict.fromkeys(planes)))
    if is_ply(name) and size_bytes and not may_have_splats(read(HEADER_BYTES)):
        return PassedOver(str(file), NO_SPLATS)
    return Scene(file) if is_scene(name) or is_archive(name) else None


def settle(judgements: Iterable[Judgement], selection: Selection = ALL) -> tuple[list[Scene], list[PassedOver]]:
    """Return the scenes of all files that were judged, and what is passed over, in their order.

    Args:
        judgements: of what is taken, and of manifests that may tell parts of a scene.
        selection: what is taken; a manifest that is not, and has no part of it, is nobody's business.
    """
    known = [each for each in judgements if each is not None]
    streamed = [each for each in known if isinstance(each, Streamed)]
    scenes = [each for each in known if isinstance(each, Scene)]
    parts = {scene.file: [each for each in streamed if each.has(scene.file)] for scene in scenes}
    told = {each.file for each in streamed if selection.takes(each.file)}
    told |= {each.file for manifests in parts.values() for each in manifests}
    others = [
        PassedOver(str(each.file), PARTS) if isinstance(each, Streamed) and each.file in told else each
        for each in known
    ]
    return (
        [scene for scene in scenes if not parts[scene.file]],
        [each for each in others if isinstance(each, PassedOver)],
    )


def say_passed_over(passed_over: Sequence[PassedOver]) -> None:
    """Warn of what has been taken for no scene."""
    for sentence in describe(passed_over):
        LOGGER.warning("%s", sentence)


def describe(passed_over: Sequence[PassedOver]) -> list[str]:
    """Say what was passed over: a sentence each, and of many how many more there are."""
    sentences = [f"passed over: {each.name} {each.reason}" for each in passed_over[:SHOWN]]
    more = len(passed_over) - SHOWN
    return [*sentences, f"passed over: {more:,} more files that are no scenes"] if more > 0 else sentences


def summarize(passed_over: Sequence[PassedOver]) -> str:
    """Say in brackets what was found where nothing else was; empty if nothing was."""
    if not passed_over:
        return ""
    others = f", and {len(passed_over) - 1:,} more are no scenes either" if len(passed_over) > 1 else ""
    return f" ({passed_over[0].name} {passed_over[0].reason}{others})"


def is_scene(name: str) -> bool:
    """Say whether a file's name is a scene's that is one file."""
    return name.lower().endswith(SCENE_SUFFIXES)


def is_ply(name: str) -> bool:
    """Say whether a file's name is a PLY's, in which there may be anything."""
    return name.lower().endswith(".ply")


def is_streamed(name: str) -> bool:
    """Say whether a path is that of a streamed SOG's manifest."""
    return PurePosixPath(name).name.lower() == STREAMED


def is_hidden(path: PurePosixPath) -> bool:
    """Say whether a path is a system's own: dot-files, and what macOS adds to archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def may_have_splats(beginning: bytes) -> bool:
    """Say whether a PLY's first bytes may be those of a scene: not if they hold a whole header without any splats.

    What is no PLY, or has a longer header, is left to the reader.
    """
    lines = [line.split() for line in re.split("[\r\n]+", beginning.decode("latin-1"))]
    if lines[0] != ["ply"] or ["end_header"] not in lines:
        return True
    return not SPLAT_PROPERTIES.isdisjoint(words[-1] for words in lines if words[:1] == ["property"])


def plane_names(meta: bytes) -> list[str] | None:
    """Return the files that the metadata of an unbundled SOG names; None if it is something else's meta.json."""
    document = _parse_object(meta)
    if not isinstance(document.get("means"), dict):
        return None
    sections = [section for section in document.values() if isinstance(section, dict)]
    files = [section["files"] for section in sections if isinstance(section.get("files"), list)]
    return [
        name for names in files for name in names if isinstance(name, str) and name and PurePosixPath(name).name == name
    ]


def part_paths(manifest: PurePosixPath, content: bytes) -> frozenset[PurePosixPath] | None:
    """Return the paths of the scenes that a streamed SOG's manifest names; None if it names none."""
    document = _parse_object(content)
    files = document.get("filenames")
    if not isinstance(files, list):
        return None
    names = [name for name in (*files, document.get("environment")) if isinstance(name, str)]
    return frozenset(PurePosixPath(posixpath.normpath(manifest.parent / name)) for name in names)


def _parse_object(data: bytes) -> dict[str, Any]:
    """Parse JSON; empty if it is no object."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
