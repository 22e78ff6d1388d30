"""Scenes with fewer splats, before any encoding: ours beside those of PlayCanvas' converter, both from PLY to PLY."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import fill_in, run_measured
from benchmarks.quality import Verdict, evaluate
from benchmarks.scenes import Scene, open_scene
from benchmarks.table import format_table

LIMIT_S = 1800.0
OURS = (sys.executable, "-m", "benchmarks.simplify_clock", "{scene}", "{out}", "{percent}")
FITTED = (*OURS, "2500")
"""Ours, and so many steps of fitting: twice those of the qualities, which fit once more after they have quantised."""
THEIRS = ("-w", "{scene}", "--decimate-adaptive", "{percent}%", "{out}")


@dataclass(frozen=True)
class SimplifiedRow:
    """One scene with fewer splats.

    Attributes:
        scene: its name.
        percent: of its splats that were asked for.
        tool: that made it.
        splats: that are left.
        seconds: from the start of the process to its end.
        verdict: how it looks; `note` says why it cannot be told.
    """

    scene: str
    percent: int
    tool: str
    splats: int
    seconds: float
    verdict: Verdict


def measure_simplification(
    scenes: Sequence[Scene],
    percents: Sequence[int],
    converter: Sequence[str],
    evaluator: Sequence[str],
    folder: Path,
    *,
    has_gpu: bool,
) -> Iterator[SimplifiedRow]:
    """Yield a row for each tool, percentage and scene as it is done.

    Args:
        scenes: what is simplified.
        percents: of the splats to keep.
        converter: PlayCanvas' command with its options.
        evaluator: see `Judge`.
        folder: for what they make.
        has_gpu: whether splats can be fitted too.
    """
    tools = {"ours": OURS, **({"ours, fitted": FITTED} if has_gpu else {}), "splat-transform": (*converter, *THEIRS)}
    for scene in scenes:
        for percent in percents:
            for tool, command in tools.items():
                yield _measure(scene, percent, tool, command, evaluator, folder / "fewer.ply")


def _measure(
    scene: Scene, percent: int, tool: str, command: Sequence[str], evaluator: Sequence[str], out: Path
) -> SimplifiedRow:
    filled = fill_in(command, scene=scene.path, out=out, percent=str(percent))
    try:
        usage = run_measured(filled, limit_s=LIMIT_S)
        if usage.failure:
            return SimplifiedRow(scene.name, percent, tool, 0, usage.seconds, Verdict(note=usage.failure))
        verdict = evaluate(evaluator, scene, out)
        return SimplifiedRow(scene.name, percent, tool, open_scene(out).splats, usage.seconds, verdict)
    finally:
        out.unlink(missing_ok=True)


def format_rows(rows: Sequence[SimplifiedRow]) -> str:
    """Write the table."""
    header = ("scene", "kept, %", "tool", "splats", "seconds", "dB mean", "dB worst")
    notes = [f"- {row.scene}, {row.percent} %, {row.tool}: {row.verdict.note}" for row in rows if row.verdict.note]
    return "\n".join([format_table(header, [_cells(row) for row in rows]), *([""] if notes else []), *notes])


def _cells(row: SimplifiedRow) -> list[str]:
    psnr = (row.verdict.psnr_mean, row.verdict.psnr_worst)
    shown = ["" if value is None else f"{value:.2f}" for value in psnr]
    return [row.scene, str(row.percent), row.tool, f"{row.splats:,}", f"{row.seconds:.1f}", *shown]
