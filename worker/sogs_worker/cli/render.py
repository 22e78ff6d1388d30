"""A picture of a scene."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from PIL import ImageColor

from sogs_worker.cli.inputs import opened_cameras, opened_scene
from sogs_worker.cli.outputs import opened_output
from sogs_worker.cli.streams import STREAM, name_output, require_one_stream
from sogs_worker.cli.viewpoint import Viewpoint
from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import UsageError
from sogs_worker.evaluate.cameras import find_view, read_views
from sogs_worker.files import make_folder, replacing
from sogs_worker.formats import read_scene
from sogs_worker.render import Camera, Scene, load_scene, orbit_camera, render
from sogs_worker.render.camera import UP, look_at, pinhole
from sogs_worker.render.picture import PREVIEW_SIZE, Colour, encode_png
from sogs_worker.reporting.results import format_size, say_notes
from sogs_worker.source.fetch import SceneFile
from sogs_worker.splats import Origin

PICTURE_SUFFIX = ".png"


@dataclass(frozen=True)
class Drawing:
    """How to draw.

    Attributes:
        viewpoint: from where.
        background: a colour's name or `#rrggbb`.
        device: `cpu` or `cuda`.
    """

    viewpoint: Viewpoint
    background: str
    device: str


def render_scene(source: str, target: str, drawing: Drawing, *, replaces: bool) -> str:
    """Draw a scene as PNG; see `convert_scene`.

    Returns:
        What was done, for people.
    """
    if target != STREAM and not target.lower().endswith(PICTURE_SUFFIX):
        raise UsageError(f"{target}: the output must end in {PICTURE_SUFFIX}")
    cameras = drawing.viewpoint.cameras
    drawing.viewpoint.check()
    background = parse_colour(drawing.background)
    require_one_stream([source, *([cameras] if cameras else [])])
    with (
        opened_output(target, source, replaces=replaces) as path,
        nullcontext() if cameras is None else opened_cameras(cameras) as file,
        opened_scene(source) as scene,
    ):
        named = read_camera(file, drawing.viewpoint) if file else None
        splats, _ = drop_unusable(read_scene(scene.path))
        say_notes(scene.uri, splats.notes)
        shapes = load_scene(splats, drawing.device)
        camera = named.counted_from(splats.origin) if named else place_camera(shapes, splats.origin, drawing.viewpoint)
        picture = encode_png(render(shapes, camera, background=background))
        make_folder(path.parent)
        with replacing(path) as out:
            out.write(picture)
    return f"{name_output(target)}  {format_size(len(picture))}  {len(splats):,} splats"


def read_camera(file: SceneFile, viewpoint: Viewpoint) -> Camera:
    """Read the camera of a file that is wanted."""
    views = read_views(file.path)
    try:
        view = views[0] if viewpoint.camera is None else find_view(views, viewpoint.camera)
    except UsageError as error:
        raise UsageError(f"{file.uri}: {error}") from error
    return view.camera.resized(*viewpoint.size) if viewpoint.size else view.camera


def place_camera(scene: Scene, origin: Origin, viewpoint: Viewpoint) -> Camera:
    """Place the camera where it is wanted, or where it shows the scene, counted from the scene's origin."""
    width, height = viewpoint.size or PREVIEW_SIZE
    up = np.array(viewpoint.up or UP)
    if viewpoint.position is None or viewpoint.target is None:
        return orbit_camera(scene, width=width, height=height, up=up)
    matrix = look_at(np.array(viewpoint.position), np.array(viewpoint.target), up)
    return pinhole(matrix, width=width, height=height).counted_from(origin)


def parse_colour(text: str) -> Colour:
    """Read a colour as CSS writes it.

    Raises:
        UsageError: it is none, or it is not opaque.
    """
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        alpha = [0]
    if alpha:
        raise UsageError(f"--background {text} is no opaque colour; name one, such as white or #202020")
    return red, green, blue
