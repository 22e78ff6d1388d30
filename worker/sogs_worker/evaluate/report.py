"""The comparison of two scene files, as a JSON object and as a line for people."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.errors import BadInputError
from sogs_worker.evaluate.cameras import read_views
from sogs_worker.evaluate.comparison import Comparison, compare, draw
from sogs_worker.evaluate.sight import check_sight
from sogs_worker.evaluate.views import View, orbit_views, standard_views
from sogs_worker.files import naming
from sogs_worker.formats import read_scene
from sogs_worker.splats import Origin, Splats


@dataclass(frozen=True)
class Reference:
    """How a scene should look.

    Attributes:
        views: at least one.
        pictures: from each, (height, width, 3) uint8.
        origin: of the views and of the scene.
        device: where they are, `cpu` or `cuda`.
        record: the scene's file and splats, as `evaluate_files` has them.
    """

    views: tuple[View, ...]
    pictures: tuple[Tensor, ...]
    origin: Origin
    device: str
    record: dict[str, Any]

    def compare(self, splats: Splats) -> Comparison:
        """Measure how much another scene, which must be usable, looks like this one."""
        here = splats.counted_from(self.origin)
        return compare(self.views, self.pictures, draw(here, self.views, device=self.device))


def draw_reference(
    path: Path,
    *,
    views: Sequence[View] | None = None,
    must_see: bool = False,
    count: int | None = None,
    device: str,
) -> Reference:
    """Draw the scene of a file; nothing of it but pictures is kept.

    Args:
        path: the scene.
        views: counted from the world's origin; None is an orbit.
        must_see: whether to refuse views of which fewer than half see the scene, see `check_sight`.
        count: of the orbit's views; None is `standard_views`.
        device: `cpu` or `cuda`.

    Raises:
        WorkerError: a file cannot be read.
        BadInputError: the views do not see the scene, or each is black: they would find all others identical.
    """
    splats, record = _read(path)
    if views:
        if must_see:
            with naming(path):
                check_sight(splats, views)
        views = [replace(view, camera=view.camera.counted_from(splats.origin)) for view in views]
    else:
        views = orbit_views(splats, count) if count else standard_views(splats)
    pictures = tuple(draw(splats, views, device=device))
    if not any(picture.any() for picture in pictures):
        with naming(path):
            raise BadInputError("every view of it is black, so nothing was measured; name cameras that see it")
    return Reference(tuple(views), pictures, splats.origin, device, record)


def evaluate_files(
    reference: Path, other: Path, *, cameras: Path | None, count: int | None, device: str
) -> dict[str, Any]:
    """Compare the pictures of two scene files.

    Args:
        reference: the scene as it should look.
        other: the scene that is judged, of any format and SH bands.
        cameras: a file of cameras, see `read_views`; None is an orbit of the reference.
        count: the number of views; None is all of the file's cameras, or `standard_views`.
        device: `cpu` or `cuda`.

    Returns:
        A JSON object with `reference` and `other` (`file`, `model`, `splats` drawn, `dropped` as unusable, `notes` if
        there are any), `device`, `psnr` (mean, dB, over the views that differ), `psnrWorst`, `worstView`, `ssim`
        (mean), `identical`, `identicalViews` and `views` (`name`, `psnr`, `ssim` of each). A PSNR of identical
        pictures, which is infinite, is null.

    Raises:
        WorkerError: if a file cannot be read or has nothing to draw.
    """
    views = read_views(cameras, count) if cameras else None
    expected = draw_reference(reference, views=views, count=count, device=device)
    got, record = _read(other)
    return {"reference": expected.record, "other": record, "device": device, **_describe(expected.compare(got))}


def format_evaluation(evaluation: dict[str, Any]) -> str:
    """Write an evaluation as one line for people."""
    other, count = evaluation["other"], len(evaluation["views"])
    views = f"{count} view{'s' * (count > 1)}"
    if evaluation["identical"]:
        parts = [f"{other['file']}  identical in {views}"]
    else:
        parts = [
            f"{other['file']}  PSNR {evaluation['psnr']:.2f} dB",
            f"worst {evaluation['psnrWorst']:.2f} dB ({evaluation['worstView']})",
            f"SSIM {evaluation['ssim']:.4f}",
            views,
        ]
        if evaluation["identicalViews"]:
            parts[-1] += f", {evaluation['identicalViews']} of them identical and not in the PSNR"
    if other["model"] != evaluation["reference"]["model"]:
        parts.append(f"drawn as {other['model']}, the reference as {evaluation['reference']['model']}")
    for scene in (evaluation["reference"], other):
        if scene["dropped"]:
            parts.append(f"{scene['dropped']:,} unusable splats of {scene['file']} not drawn")
        parts += [f"{scene['file']}: {note}" for note in scene.get("notes", [])]
    return "  ".join(parts)


def _read(path: Path) -> tuple[Splats, dict[str, Any]]:
    splats = read_scene(path)
    with naming(path):
        usable, dropped = drop_unusable(splats)
    notes = {"notes": list(usable.notes)} if usable.notes else {}
    facts = {"model": str(usable.model), "splats": len(usable), "dropped": dropped}
    return usable, {"file": str(path), **facts, **notes}


def _describe(comparison: Comparison) -> dict[str, Any]:
    identical = comparison.identical_views == len(comparison.views)
    return {
        "psnr": _finite(comparison.psnr, 3),
        "psnrWorst": _finite(comparison.worst.psnr, 3),
        "worstView": None if identical else comparison.worst.name,
        "ssim": round(comparison.ssim, 6),
        "identical": identical,
        "identicalViews": comparison.identical_views,
        "views": [
            {"name": view.name, "psnr": _finite(view.psnr, 3), "ssim": round(view.ssim, 6)} for view in comparison.views
        ],
    }


def _finite(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
