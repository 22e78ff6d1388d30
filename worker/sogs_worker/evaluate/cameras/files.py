"""Which form a file of cameras has, and what lies beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.colmap import read_model
from sogs_worker.evaluate.cameras.fields import numbered
from sogs_worker.evaluate.cameras.frame import Frame, parse_frame
from sogs_worker.evaluate.cameras.lists import parse_list
from sogs_worker.evaluate.cameras.transforms import is_transforms, parse_transforms
from sogs_worker.evaluate.views import View
from sogs_worker.files import naming
from sogs_worker.naming import COLMAP_CAMERAS, DATAPARSER


def read_views(path: Path, count: int | None = None) -> list[View]:
    """Read the first `count` cameras, or all, of a file.

    It is a list in JSON (see `lists`), a transforms.json (see `transforms`), or a COLMAP model's images.bin or
    images.txt, or the folder that has one (see `colmap`). Where nerfstudio's dataparser_transforms.json lies beside one
    of the last two, the cameras are moved to the frame that it describes, which is that of exported scenes (see
    `frame`). Lens distortion is ignored: the cameras are pinholes.

    Raises:
        BadInputError: names the file, the camera and what is wrong with it.
        SourceMissingError, NotPermittedError, StorageError: if it cannot be opened.
    """
    file = _find_images(path) if path.is_dir() else path
    with naming(file):
        if file.name in COLMAP_CAMERAS:
            views, frame = read_model(file)[:count], _read_frame(file)
            return _move_all(views, frame) if frame else views
        document = _read_json(file)
        if is_transforms(document):
            return parse_transforms(document, count, _read_frame(file))
        return parse_list(document, count)


def _move_all(views: list[View], frame: Frame) -> list[View]:
    moved = []
    for number, view in enumerate(views):
        with numbered("camera", number):
            moved.append(frame.move(view))
    return moved


def _find_images(folder: Path) -> Path:
    for name in COLMAP_CAMERAS:
        if (folder / name).exists():
            return folder / name
    raise BadInputError(f"{folder}: is a folder without {' or '.join(COLMAP_CAMERAS)}; name a file of cameras")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BadInputError("not a JSON file; name a list of cameras") from error


def _read_frame(path: Path) -> Frame | None:
    """Read the frame of the scene that cameras lie beside; None if it is theirs."""
    try:
        content = path.with_name(DATAPARSER).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return parse_frame(json.loads(content))
    except BadInputError:
        raise
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{DATAPARSER} beside it is not a JSON file; copy it again or remove it") from error
