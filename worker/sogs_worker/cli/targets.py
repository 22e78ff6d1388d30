"""The targets of a command's outputs: below a folder, or one exact file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sogs_worker.errors import UsageError
from sogs_worker.naming import META, Origin, is_target, name_outputs, name_target, target_ending


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
