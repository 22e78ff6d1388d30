"""Where the output of each scene goes, decided before any work starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sogs_worker.errors import NotPermittedError, StorageError, UsageError

BUNDLE_SUFFIX = ".sog"

META = "meta.json"
"""The file that stands for an unbundled scene."""

SCENE_SUFFIXES = (".compressed.ply", ".ply", ".spz", ".splat", ".sog")
"""What is taken off a scene's file name to name its output."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
"""What is taken off an archive's file name to name the folder of its outputs."""


@dataclass(frozen=True)
class Origin:
    """Where a scene was found; decides its output's name.

    Attributes:
        file: the scene or its archive, relative to the source's folder; a meta.json stands for an unbundled scene.
        member: the scene in the archive; None outside of archives.
        folder: name of the source's folder, which names the unbundled scene that lies right in it.
    """

    file: PurePosixPath
    member: PurePosixPath | None = None
    folder: str = "scene"


def name_outputs(origins: Sequence[Origin]) -> list[PurePosixPath]:
    """Name the outputs of a source's scenes, relative to the destination's folder.

    A scene's name is its path with the suffix `.sog` instead of its own. An archive counts as a folder, or as its scene
    if it has just one; an unbundled scene is named by its folder. Those that would get one name keep their suffix, and
    if that is not enough, their archive's suffix: so all names differ, and the order of `origins` does not matter.

    Raises:
        UsageError: two scenes have the same path, so that no name of theirs differs.
    """
    scenes_by_archive = Counter(origin.file for origin in origins if origin.member is not None)
    choices = [_choices(origin, is_alone=scenes_by_archive[origin.file] == 1) for origin in origins]
    chosen = [0] * len(origins)
    while True:
        names = [choice[index] for choice, index in zip(choices, chosen, strict=True)]
        uses = Counter(names)
        longer = [i for i, name in enumerate(names) if uses[name] > 1 and chosen[i] + 1 < len(choices[i])]
        if not longer:
            break
        for i in longer:
            chosen[i] += 1
    if clash := next((name for name in names if uses[name] > 1), None):
        raise UsageError(f"{clash}: two scenes would be written here; rename one or compress them apart")
    return names


def plan_outputs(scenes: Sequence[tuple[Path, Origin]], output: str) -> list[Path]:
    """Name the output files of scenes: in a folder, that is a path ending in `/`, or one `.sog` file for one scene.

    Args:
        scenes: each scene's file, or its archive, and where it was found.
        output: the folder or file.

    Raises:
        UsageError: there are more scenes, two of them have one name, or a file would be overwritten by its output.
    """
    check_output(output, len(scenes))
    names = name_outputs([origin for _, origin in scenes])
    targets = [Path(output) / name if output.endswith("/") else Path(output) for name in names]
    sources = {path.resolve() for path, _ in scenes}
    for target in targets:
        if target.resolve() in sources:
            raise UsageError(f"{target}: an input would be overwritten; name another output")
    return targets


def check_output(output: str, count: int) -> None:
    """Refuse an output that cannot take `count` scenes, or that is not here.

    Raises:
        UsageError: it is neither a folder nor one `.sog` file for one scene.
    """
    check_is_path(output)
    if output.endswith("/"):
        return
    if count > 1:
        raise UsageError(f"{output}: {count} scenes need a folder as output, a path that ends in /")
    if not output.endswith(BUNDLE_SUFFIX):
        raise UsageError(f"{output}: the output must end in {BUNDLE_SUFFIX}, or in / for a folder")


def check_is_path(text: str) -> None:
    """Refuse the address of a store."""
    if "://" in text:
        raise UsageError(f"{text}: only paths of this machine can be named here; copy the scene first")


def make_folder(folder: Path) -> None:
    """Make the folder of an output.

    Raises:
        NotPermittedError, StorageError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise NotPermittedError(f"{folder}: may not be made; choose another folder") from error
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror or error}; choose another folder") from error


def _choices(origin: Origin, *, is_alone: bool) -> list[PurePosixPath]:
    """Return the names that an output may get, the shortest first; the last one has all of the scene's path."""
    if origin.member is None:
        return _names(origin.file, origin.folder)
    stem = origin.file.with_name(_stem(origin.file.name, ARCHIVE_SUFFIXES))
    inside = [*_names(stem / origin.member, ""), _with_bundle_suffix(origin.file / origin.member)]
    return [_with_bundle_suffix(stem), _with_bundle_suffix(origin.file), *inside] if is_alone else inside


def _names(scene: PurePosixPath, folder: str) -> list[PurePosixPath]:
    if scene.name == META:
        named = scene.parent if scene.parent.name else PurePosixPath(folder)
    else:
        named = scene.with_name(_stem(scene.name, SCENE_SUFFIXES))
    return [_with_bundle_suffix(named), _with_bundle_suffix(scene)]


def _stem(name: str, suffixes: Sequence[str]) -> str:
    """Take the suffix off a file's name, if something is left of it then."""
    longest = max((suffix for suffix in suffixes if name.lower().endswith(suffix)), key=len, default="")
    return name[: len(name) - len(longest)] or name


def _with_bundle_suffix(path: PurePosixPath) -> PurePosixPath:
    return path.with_name(path.name + BUNDLE_SUFFIX)
