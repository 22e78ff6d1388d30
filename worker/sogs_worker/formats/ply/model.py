"""The rendering model of a scene, which a PLY says in a comment or by a scale that it has not.

There is no standard, but two comments that trainers write: Brush's `SplatRenderMode: mip` and Postshot's
`antialiased 1`. splat-transform reads both and writes the first, as here.
"""

from __future__ import annotations

from collections.abc import Iterable

from sogs_worker.splats import Model

KEY = "SplatRenderMode:"

MODES = {"default": Model.DEFAULT, "mip": Model.ANTIALIASED, "2dgs": Model.SURFELS}
FLAGS = {"0": Model.DEFAULT, "1": Model.ANTIALIASED}
"""The values of Brush's comment and of Postshot's."""


def parse_model(comments: Iterable[str]) -> Model:
    """Return the model that the last comment which says one says; letters may be of either case."""
    model = Model.DEFAULT
    for comment in comments:
        match comment.lower().split():
            case [key, mode] if key == KEY.lower() and mode in MODES:
                model = MODES[mode]
            case ["antialiased", flag] if flag in FLAGS:
                model = FLAGS[flag]
    return model


def format_model(model: Model) -> list[str]:
    """Return the comments, none or one, that say the model."""
    modes = {known: mode for mode, known in MODES.items() if known is not Model.DEFAULT}
    return [f"{KEY} {modes[model]}"] if model in modes else []
