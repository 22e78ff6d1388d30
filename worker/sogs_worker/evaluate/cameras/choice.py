"""Some of a file's cameras: those that judge a scene, or the one that is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sogs_worker.errors import UsageError
from sogs_worker.evaluate.cameras.files import read_views
from sogs_worker.evaluate.metrics import WINDOW
from sogs_worker.evaluate.views import View
from sogs_worker.render.camera import Camera

SAMPLED = 8
SAMPLED_SIDE = 1024
"""Cameras that a scene is judged by, at most, and the longer side of their pictures, pixels."""

SHOWN = 5
"""Cameras that are told by name."""


def sample_views(path: Path) -> tuple[list[View], list[View]]:
    """Read a file's cameras: a few evenly through it, by which a scene is judged, and all the others.

    The pictures of the few have a moderate size, which is enough for that.

    Raises:
        WorkerError: as `read_views`.
    """
    views = read_views(path)
    few = min(len(views), SAMPLED)
    chosen = {number * len(views) // few for number in range(few)}
    sampled = [replace(view, camera=_moderate(view.camera)) for number, view in enumerate(views) if number in chosen]
    return sampled, [view for number, view in enumerate(views) if number not in chosen]


def _moderate(camera: Camera) -> Camera:
    factor = min(1.0, SAMPLED_SIDE / max(camera.width, camera.height))
    return camera.resized(max(round(factor * camera.width), WINDOW), max(round(factor * camera.height), WINDOW))


def find_view(views: Sequence[View], text: str) -> View:
    """Return the view of that name, or else of that number, counted from 0.

    Raises:
        UsageError: there is none.
    """
    for view in views:
        if view.name == text:
            return view
    if text.isdecimal() and int(text) < len(views):
        return views[int(text)]
    shown = ", ".join(view.name for view in views[:SHOWN]) + ", ..." * (len(views) > SHOWN)
    raise UsageError(f"there is no camera {text!r}; name one of {shown} or a number from 0 to {len(views) - 1}")
