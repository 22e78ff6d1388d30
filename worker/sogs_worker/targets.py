"""The file that stands for an output: its bundle, or the meta.json of its folder, in which the planes lie beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TypeVar

from sogs_worker.errors import UsageError
from sogs_worker.outputs import META, Origin, name_outputs

BUNDLE_SUFFIX = ".sog"
BUNDLED = "sog"
"""The one format that is a single file."""

PICTURE_TYPE = "image/png"
MEDIA_TYPES = {BUNDLE_SUFFIX: "application/zip", ".json": "application/json", ".webp": "image/webp"}
"""Of what is published, by the file's suffix."""

Name = TypeVar("Name", bound=PurePath)


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


def plan_outputs(scenes: Sequence[tuple[Path, Origin]], output: str, output_format: str) -> list[Path]:
    """Name the targets of scenes: in a folder, that is a path ending in `/`, or exactly `output` for one scene.

    Args:
        scenes: each scene's file, or its archive, and where it was found.
        output: the folder or target.
        output_format: as `Parameters` has it.

    Raises:
        UsageError: there are more scenes, two of them have one name, or a file would be overwritten by its output.
    """
    check_output(output, len(scenes), output_format)
    names = name_outputs([origin for _, origin in scenes])
    targets = [
        name_target(Path(output) / name, output_format) if output.endswith("/") else Path(output) for name in names
    ]
    # An unbundled scene's metadata may be called otherwise, and still its planes are those of the folder.
    sources = {path.with_name(META) if path.suffix.lower() == ".json" else path for path, _ in scenes}
    taken = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in taken:
            raise UsageError(f"{target}: an input would be overwritten; name another output")
    return targets


def check_output(output: str, count: int, output_format: str) -> None:
    """Refuse an output that cannot take `count` scenes.

    Raises:
        UsageError: it is neither a folder nor a target of this format for one scene.
    """
    if output.endswith("/"):
        return
    if count > 1:
        raise UsageError(f"{output}: {count} scenes need a folder as output, a path that ends in /")
    if not is_target(output, output_format):
        raise UsageError(f"{output}: the output must end in {target_ending(output_format)}, or in / for a folder")
