"""The frame of scenes that nerfstudio trains: it turns, shifts and scales the world of its input.

`ns-export gaussian-splat` writes splats in that frame, and `ns-train` its description as dataparser_transforms.json:
`transform` (3 x 4) and `scale`, by which a point x of the original data, such as COLMAP's, stands at
scale * transform * (x, 1) (nerfstudio/data/dataparsers/base_dataparser.py, nerfstudio_dataparser.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras.fields import parse_array, place_camera, require_rotation
from sogs_worker.evaluate.views import View
from sogs_worker.naming import DATAPARSER


@dataclass(frozen=True)
class Frame:
    """Where a world's point x stands in another frame: at scale * (rotation @ x + shift).

    Attributes:
        rotation: (3, 3).
        shift: (3,).
        scale: above 0.
    """

    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    scale: float

    def move(self, view: View) -> View:
        """Return the view that shows the moved world as this one shows the world.

        Raises:
            BadInputError: see `place_camera`.
        """
        camera = view.camera
        with np.errstate(over="ignore", invalid="ignore"):
            position = self.scale * (self.rotation @ camera.position + self.shift)
        moved = place_camera(
            camera.world_to_camera[:3, :3] @ self.rotation.T,
            position,
            focal=camera.focal,
            centre=camera.centre,
            size=(camera.width, camera.height),
        )
        return replace(view, camera=moved)

    def without(self, applied: Frame) -> Frame:
        """Return the frame for points that stand where `applied` has moved them, of one for points that are not moved.

        Scales are divided apart from the shifts, as nerfstudio multiplies them.
        """
        rotation = self.rotation @ applied.rotation.T
        with np.errstate(over="ignore", invalid="ignore"):
            return Frame(rotation, self.shift - rotation @ applied.shift, self.scale / applied.scale)


def parse_frame(document: Any) -> Frame:
    """Read a dataparser_transforms.json.

    Raises:
        BadInputError: says what is wrong with it.
    """
    try:
        return _parse(document, "transform", "scale")
    except BadInputError as error:
        raise BadInputError(f"{DATAPARSER} beside it: {error}") from error


def parse_applied(document: dict[str, Any]) -> Frame:
    """Read from a transforms.json how nerfstudio has moved the original data's world before it was written.

    Raises:
        BadInputError: says what is wrong with it.
    """
    unchanged = {"applied_transform": np.eye(3, 4), "applied_scale": 1.0}
    return _parse(unchanged | document, "applied_transform", "applied_scale")


def _parse(document: Any, transform: str, scale: str) -> Frame:
    if not isinstance(document, dict):
        raise BadInputError("must be a JSON object")
    matrix = parse_array(document, transform, (3, 4))
    require_rotation(matrix[:, :3], transform)
    factor = float(parse_array(document, scale, ()))
    if factor <= 0:
        raise BadInputError(f"{scale} must be above 0")
    return Frame(matrix[:, :3], matrix[:, 3], factor)
