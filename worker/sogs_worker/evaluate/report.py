"""The comparison of two scene files, as a JSON object and as a line for people."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.evaluate.comparison import Comparison, compare
from sogs_worker.evaluate.views import ORBIT_VIEWS, orbit_views, read_views
from sogs_worker.formats import read_scene
from sogs_worker.formats.output import naming
from sogs_worker.splats import Splats


def evaluate_files(
    reference: Path, other: Path, *, cameras: Path | None, count: int | None, device: str
) -> dict[str, Any]:
    """Compare the pictures of two scene files.

    Args:
        reference: the scene as it should look.
        other: the scene that is judged, of any format and SH bands.
        cameras: a file of cameras, see `read_views`; None is an orbit of the reference.
        count: the number of views; None is all of the file's cameras, or six on the orbit.
        device: `cpu` or `cuda`.

    Returns:
        A JSON object with `reference` and `other` (`file`, `splats` drawn, `dropped` as unusable), `device`, `psnr`
        (mean, dB, over the views that differ), `psnrWorst`, `worstView`, `ssim` (mean), `identical`, `identicalViews`
        and `views` (`name`, `psnr`, `ssim` of each). A PSNR of identical pictures, which is infinite, is null.

    Raises:
        WorkerError: if a file cannot be read or has nothing to draw.
    """
    views = read_views(cameras, count) if cameras else None
    expected, expected_record = _read(reference)
    got, got_record = _read(other)
    with naming(reference):
        comparison = compare(expected, got, views or orbit_views(expected, count or ORBIT_VIEWS), device=device)
    return {"reference": expected_record, "other": got_record, "device": device, **_describe(comparison)}


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
    for scene in (evaluation["reference"], other):
        if scene["dropped"]:
            parts.append(f"{scene['dropped']:,} unusable splats of {scene['file']} not drawn")
    return "  ".join(parts)


def _read(path: Path) -> tuple[Splats, dict[str, Any]]:
    splats = read_scene(path)
    with naming(path):
        usable, dropped = drop_unusable(splats)
    return usable, {"file": str(path), "splats": len(usable), "dropped": dropped}


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
