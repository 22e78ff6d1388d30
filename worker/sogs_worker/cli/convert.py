"""A scene written in another format than SOG, whatever it is read from."""

from __future__ import annotations

from pathlib import Path

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import UsageError
from sogs_worker.files import make_folder
from sogs_worker.formats import WRITERS, find_writer, read_scene
from sogs_worker.naming import BUNDLE_SUFFIX
from sogs_worker.reporting.results import format_size, say_notes

ENDINGS = f"{', '.join(list(WRITERS)[:-1])} or {list(WRITERS)[-1]}"


def convert_file(source: Path, target: Path) -> str:
    """Write a scene in the format that the target's name says, without the splats that nothing could draw.

    Returns:
        What was done, for people.

    Raises:
        UsageError: the target's name says none of these formats, or it is the source.
        WorkerError: the source cannot be read, or the target not be written.
    """
    write = find_writer(target)
    if write is None:
        hint = "; compress makes that" if target.suffix.lower() == BUNDLE_SUFFIX else ""
        raise UsageError(f"{target}: the output must end in {ENDINGS}{hint}")
    if target.resolve() == source.resolve():
        raise UsageError(f"{target}: the input would be overwritten; name another output")
    splats, unusable = drop_unusable(read_scene(source))
    say_notes(str(source), splats.notes)
    make_folder(target.parent)
    write(target, splats)
    parts = [str(target), format_size(target.stat().st_size), f"{len(splats):,} splats"]
    return "  ".join([*parts, f"{unusable:,} unusable dropped"] if unusable else parts)
