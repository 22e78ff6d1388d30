"""A picture of a scene."""

from __future__ import annotations

from sogs_worker.cli.inputs import opened_scene
from sogs_worker.cli.outputs import opened_output
from sogs_worker.cli.streams import STREAM, name_output
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import UsageError
from sogs_worker.files import make_folder, replacing
from sogs_worker.formats import read_scene
from sogs_worker.render import preview_png
from sogs_worker.reporting.results import format_size, say_notes

PICTURE_SUFFIX = ".png"


def render_scene(source: str, target: str, *, device: str, replaces: bool) -> str:
    """Draw a scene as PNG; see `convert_scene`.

    Returns:
        What was done, for people.
    """
    if target != STREAM and not target.lower().endswith(PICTURE_SUFFIX):
        raise UsageError(f"{target}: the output must end in {PICTURE_SUFFIX}")
    with opened_output(target, source, replaces=replaces) as path, opened_scene(source) as scene:
        splats, _ = drop_unusable(read_scene(scene.path))
        say_notes(scene.uri, splats.notes)
        picture = preview_png(splats, device=device)
        make_folder(path.parent)
        with replacing(path) as file:
            file.write(picture)
    return f"{name_output(target)}  {format_size(len(picture))}  {len(splats):,} splats"
