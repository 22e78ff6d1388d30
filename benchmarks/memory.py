"""How much host memory the Job's entry takes for one scene, with all that a run can be asked for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.pipeline import CLAIM, Course, run_worker
from benchmarks.pipeline_transfer import OUTPUTS, SOURCES

EVERYTHING = {"preview": True, "gate": {"minPSNR": 0}}
"""A picture, and the measurement that the gate needs: the bundle and its scene are drawn."""


@dataclass(frozen=True)
class Row:
    """What one run took.

    Attributes:
        scene: the file's name.
        asked: what the run was asked for beside the bundle.
        seconds: wall time.
        scene_bytes: length of the file.
        peak_rss_bytes: highest resident memory of the process that works.
    """

    scene: str
    asked: str
    seconds: float
    scene_bytes: int
    peak_rss_bytes: int


def measure_memory(course: Course, scenes: Sequence[Path]) -> Iterator[Row]:
    """Compress each scene from a volume to it, without and with a picture and a gate.

    Raises:
        BenchmarkError: a run fails.
    """
    folder = course.volume / SOURCES
    for scene in scenes:
        if not scene.is_file():
            raise BenchmarkError(f"{scene}: no such file; name a scene")
        shutil.rmtree(course.volume, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(scene, folder / scene.name)
        for asked, more in (("a bundle", {}), ("with preview and gate", EVERYTHING)):
            usage = run_worker(course, f"pvc://{CLAIM}/", {}, more)
            yield Row(scene.name, asked, usage.seconds, scene.stat().st_size, usage.peak_rss_bytes)
            shutil.rmtree(course.volume / OUTPUTS)


def format_rows(rows: Sequence[Row]) -> str:
    """Write the table."""
    lines = ["| scene | MB | a run for | s | peak MB | times the scene |", "|---|---|---|---|---|---|"]
    for row in rows:
        sizes = f"{row.scene_bytes / 1e6:,.0f} | {row.asked} | {row.seconds:.1f} | {row.peak_rss_bytes / 1e6:,.0f}"
        lines.append(f"| {row.scene} | {sizes} | {row.peak_rss_bytes / row.scene_bytes:.2f} |")
    return "\n".join(lines)
