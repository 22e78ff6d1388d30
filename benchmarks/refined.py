"""Bundles of fewer splats that are fitted to pictures, beside one of all splats: bytes, time, and how they look."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.photos import photo_psnr
from benchmarks.process import Usage, fill_in, run_measured
from benchmarks.quality import Verdict, evaluate
from benchmarks.scenes import Scene
from benchmarks.table import format_table

LIMIT_S = 1800.0
VARIANTS = {
    "balanced": ("--quality", "balanced"),
    "balanced, 40 %": ("--quality", "balanced", "--target-splats", "40%"),
    "compact": ("--quality", "compact"),
    "smallest": ("--quality", "smallest"),
}


@dataclass(frozen=True)
class RefinedRow:
    """One bundle.

    Attributes:
        scene: its name.
        variant: how it was made.
        splats: that it has.
        bytes: its length.
        ratio: bytes of the PLY to its own.
        seconds: from the start of the process to its end.
        verdict: how it looks beside the PLY.
        photo: dB against photos, mean of the views; NaN without any.
    """

    scene: str
    variant: str
    splats: int
    bytes: int
    ratio: float
    seconds: float
    verdict: Verdict
    photo: float = math.nan


def measure_refinement(
    scenes: Sequence[Scene], variants: Sequence[str], worker: Sequence[str], evaluator: Sequence[str], folder: Path
) -> Iterator[RefinedRow]:
    """Yield a row for each variant of each scene as it is done, and one for the scene itself where it has photos.

    Args:
        scenes: PLY files; photos are those of the folder `photos` beside one, named as its cameras are.
        variants: keys of `VARIANTS`.
        worker: our command.
        evaluator: see `Judge`.
        folder: for the bundles.
    """
    for scene in scenes:
        photo = photo_psnr(scene, scene.path)
        if not math.isnan(photo):
            yield RefinedRow(scene.name, "the PLY", scene.splats, scene.size_bytes, 1.0, 0.0, Verdict(), photo)
        for variant in variants:
            yield _measure(scene, variant, worker, evaluator, folder / "scene.sog")


def encode_variant(scene: Scene, variant: str, worker: Sequence[str], out: Path) -> Usage:
    """Encode a scene, as one that no cameras lie beside: those that judge it must not be fitted to."""
    alone = out.with_suffix(".ply")
    alone.unlink(missing_ok=True)
    alone.symlink_to(scene.path.resolve())
    command = fill_in((*worker, "compress", "{scene}", "{out}", *VARIANTS[variant], "--json"), scene=alone, out=out)
    try:
        return run_measured(command, limit_s=LIMIT_S)
    finally:
        alone.unlink()


def _measure(scene: Scene, variant: str, worker: Sequence[str], evaluator: Sequence[str], out: Path) -> RefinedRow:
    try:
        usage = encode_variant(scene, variant, worker, out)
        if usage.failure:
            return RefinedRow(scene.name, variant, 0, 0, 0.0, usage.seconds, Verdict(note=usage.failure))
        record = json.loads(usage.output.splitlines()[-1])
        verdict = evaluate(evaluator, scene, out)
        photo = photo_psnr(scene, out)
        counts = (record["splats"], record["bytes"], record["ratio"])
        return RefinedRow(scene.name, variant, *counts, usage.seconds, verdict, photo)
    finally:
        out.unlink(missing_ok=True)


def format_rows(rows: Sequence[RefinedRow]) -> str:
    """Write the table."""
    header = ("scene", "variant", "splats", "bytes", "ratio", "seconds", "dB mean", "dB worst", "photo dB")
    notes = [f"- {row.scene}, {row.variant}: {row.verdict.note}" for row in rows if row.verdict.note]
    return "\n".join([format_table(header, [_cells(row) for row in rows]), *([""] if notes else []), *notes])


def _cells(row: RefinedRow) -> list[str]:
    psnr = (row.verdict.psnr_mean, row.verdict.psnr_worst)
    shown = ["" if value is None else f"{value:.2f}" for value in psnr]
    seconds = f"{row.seconds:.1f}" if row.seconds else ""
    photo = "" if math.isnan(row.photo) else f"{row.photo:.3f}"
    return [row.scene, row.variant, f"{row.splats:,}", f"{row.bytes:,}", f"{row.ratio:.1f}", seconds, *shown, photo]
