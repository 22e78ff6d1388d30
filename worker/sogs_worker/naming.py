"""What the output of each scene is called, decided before any work starts, and the files that it consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath, PurePosixPath
from typing import TypeVar

META = "meta.json"
"""The file that stands for an unbundled scene."""

STREAMED = "lod-meta.json"
"""The manifest of a streamed SOG, in any case: the only name by which viewers know it."""

MAX_STREAMED_BYTES = 64 << 20
"""Of such a manifest: that of a scene of 111,316 leaves has 58 MB."""

DATAPARSER = "dataparser_transforms.json"
"""Nerfstudio's description of the frame of a scene, beside the cameras that the scene was trained from."""

COLMAP_CAMERAS = {"images.bin": "cameras.bin", "images.txt": "cameras.txt"}
"""The files of a COLMAP model that have its cameras, the one that COLMAP itself prefers first."""

SCENE_SUFFIXES = (".compressed.ply", ".ply", ".spz", ".splat", ".ksplat", ".glb", ".sog")
"""What is taken off a scene's file name to name its output."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
"""What is taken off an archive's file name to name the folder of its outputs."""

BUNDLE_SUFFIX = ".sog"
BUNDLED = "sog"
"""The one format that is a single file."""

PICTURE_TYPE = "image/png"
MEDIA_TYPES = {BUNDLE_SUFFIX: "application/zip", ".json": "application/json", ".webp": "image/webp"}
"""Of what is published, by the file's suffix."""

Name = TypeVar("Name", bound=PurePath)


def name_files(files: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Name the output of each scene, and the folder of each archive's outputs, as their files, without suffixes.

    From the files' names alone, so that no archive need be opened to know what others become; their order does not
    matter. A scene's name is its path without suffix, an unbundled one's that of its folder; those that would get one
    name keep their suffix. An archive counts as a folder, which is named without its suffix if nothing else is. All
    differ, unless two files have the same path, or an archive that of a folder, as can be in an object store.
    """
    archives = [file for file in files if is_archive(file.name)]
    scenes = [file for file in files if not is_archive(file.name)]
    names = dict(zip(scenes, _name_scenes(scenes, occupied=set(archives)), strict=True))
    taken = {*names.values(), *(parent for file in files for parent in file.parents)}
    stems = [archive.with_name(_stem(archive.name, ARCHIVE_SUFFIXES)) for archive in archives]
    uses = Counter(stems)
    for archive, stem in zip(archives, stems, strict=True):
        names[archive] = stem if uses[stem] == 1 and stem not in taken else archive
    return [names[file] for file in files]


def name_members(root: PurePosixPath, members: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Name the outputs of an archive's scenes, without suffixes, below the archive's name; the only one gets that."""
    return [root] if len(members) == 1 else _name_scenes([root / member for member in members], occupied=set())


def _name_scenes(scenes: Sequence[PurePosixPath], *, occupied: set[PurePosixPath]) -> list[PurePosixPath]:
    """Name scenes shortly, but none as another one or as what is occupied."""
    names = [
        scene.parent if scene.name == META else scene.with_name(_stem(scene.name, SCENE_SUFFIXES)) for scene in scenes
    ]
    while True:
        uses = Counter(names)
        clashing = [place for place, name in enumerate(names) if uses[name] > 1 or name in occupied]
        longer = [place for place in clashing if names[place] != scenes[place]]
        if not longer:
            return names
        for place in longer:
            names[place] = scenes[place]


def is_archive(name: str) -> bool:
    """Say whether a file's name is an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def take_suffix(name: str) -> str:
    """Take the suffix off the name of a scene or an archive, if something is left of it then."""
    return _stem(name, (*SCENE_SUFFIXES, *ARCHIVE_SUFFIXES))


def _stem(name: str, suffixes: Sequence[str]) -> str:
    """Take the suffix off a file's name, if something is left of it then."""
    longest = max((suffix for suffix in suffixes if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(longest)] or name


def name_target(name: Name, output_format: str) -> Name:
    """Return the target of the output that is called so: `a/b.sog`, or `a/b/meta.json`."""
    return name.with_name(name.name + BUNDLE_SUFFIX) if output_format == BUNDLED else name / META


def stem_of(target: str) -> str:
    """Return what the names of all that lies beside an output begin with: `a/b`; `meta` for a bare `meta.json`."""
    folder, _, file = target.rpartition("/")
    if file == META:
        return folder or "meta"
    return target.removesuffix(BUNDLE_SUFFIX)


def beside(target: str, name: str) -> str:
    """Return the key of a file in the folder of a target."""
    return target.removesuffix(target.rpartition("/")[2]) + name


def target_ending(output_format: str) -> str:
    """Return how the name of a target ends, for messages."""
    return BUNDLE_SUFFIX if output_format == BUNDLED else META


def is_target(place: str, output_format: str) -> bool:
    """Say whether a path or key may be a target."""
    return place.endswith(BUNDLE_SUFFIX) if output_format == BUNDLED else place.rpartition("/")[2] == META
