"""A scene written in another format than SOG, whatever it is read from."""

from __future__ import annotations

from pathlib import Path

from sogs_worker.cli.inputs import opened_scene
from sogs_worker.cli.outputs import opened_output
from sogs_worker.cli.streams import STREAM, name_output
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import UsageError
from sogs_worker.files import make_folder
from sogs_worker.formats import WRITERS, Writer, find_writer, read_scene
from sogs_worker.naming import BUNDLE_SUFFIX
from sogs_worker.reporting.results import format_size, say_notes
from sogs_worker.source.fetch import SceneFile

STREAMED_AS = ".ply"
"""What is written to standard output, which has no name to say it."""

ENDINGS = f"{', '.join(list(WRITERS)[:-1])} or {list(WRITERS)[-1]}"


def convert_scene(source: str, target: str, *, replaces: bool) -> str:
    """Write a scene in the format that the target's name says, without the splats that nothing could draw.

    Args:
        source: a path or an address; `-` is standard input.
        target: a path or an address of a bucket; `-` is standard output, which gets a PLY.
        replaces: whether a file that is there is replaced.

    Returns:
        What was done, for people.

    Raises:
        UsageError: the target's name says none of these formats, or it is the source or there already.
        WorkerError: the source cannot be read, or the target not be written.
    """
    write = WRITERS[STREAMED_AS] if target == STREAM else find_writer(target)
    if write is None:
        hint = "; compress makes that" if target.lower().endswith(BUNDLE_SUFFIX) else ""
        raise UsageError(f"{target}: the output must end in {ENDINGS}{hint}")
    with opened_output(target, source, replaces=replaces) as path, opened_scene(source) as scene:
        facts = _convert(scene, path, write)
    return "  ".join([name_output(target), *facts])


def _convert(scene: SceneFile, path: Path, write: Writer) -> list[str]:
    splats, unusable = drop_unusable(read_scene(scene.path))
    say_notes(scene.uri, splats.notes)
    make_folder(path.parent)
    write(path, splats)
    facts = [format_size(path.stat().st_size), f"{len(splats):,} splats"]
    return [*facts, f"{unusable:,} unusable dropped"] if unusable else facts
