"""Both engines on the same scenes, each in a fresh process: bytes, seconds by stage, and how the bundle looks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import run_measured
from benchmarks.quality import Judge, judge_bundle
from benchmarks.scenes import Scene
from benchmarks.table import format_table

ENGINES = ("native", "sogs")
STAGES = ("load", "read", "sort", "palette", "rest", "write")
LIMIT_S = 1800.0


@dataclass(frozen=True)
class EngineRow:
    """One engine on one scene.

    Attributes:
        scene: its name.
        splats: of the scene.
        engine: the engine's name.
        source_bytes, bytes: of the scene and its bundle.
        dropped: splats that the bundle has not.
        seconds: by stage, and `all`: from the start of the process to its end.
        psnr_mean, psnr_worst: dB over the views; None: not to be had.
        note: why something is missing.
    """

    scene: str
    splats: int
    engine: str
    source_bytes: int
    bytes: int
    dropped: int
    seconds: dict[str, float]
    psnr_mean: float | None
    psnr_worst: float | None
    note: str = ""


def measure_engines(scenes: Sequence[Scene], judge: Judge, folder: Path) -> Iterator[EngineRow]:
    """Yield a row for each engine of each scene as it is done."""
    for scene in scenes:
        for engine in ENGINES:
            yield _measure(scene, engine, judge, folder / f"{scene.name}-{engine}.sog")


def _measure(scene: Scene, engine: str, judge: Judge, bundle: Path) -> EngineRow:
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.engine_clock", engine, scene.path, bundle]
    usage = run_measured(command, limit_s=LIMIT_S)
    if usage.failure:
        return EngineRow(scene.name, scene.splats, engine, scene.size_bytes, 0, 0, {}, None, None, usage.failure)
    told = json.loads(usage.output.splitlines()[-1])
    seconds = {"all": usage.seconds, **told["seconds"], "load": usage.seconds - sum(told["seconds"].values())}
    verdict = judge_bundle(judge, scene, bundle, bundle.with_suffix(".ply"))
    return EngineRow(
        scene=scene.name,
        splats=scene.splats,
        engine=engine,
        source_bytes=scene.size_bytes,
        bytes=bundle.stat().st_size,
        dropped=told["dropped"],
        seconds=seconds,
        psnr_mean=verdict.psnr_mean,
        psnr_worst=verdict.psnr_worst,
        note=verdict.note,
    )


def format_rows(rows: Sequence[EngineRow]) -> str:
    """Write the table."""
    header = ("scene", "splats", "engine", "bytes", "ratio", "dB mean", "dB worst", "dropped", "seconds", *STAGES)
    notes = [f"- {row.scene}, {row.engine}: {row.note}" for row in rows if row.note]
    return "\n".join([format_table(header, [_cells(row) for row in rows]), *([""] if notes else []), *notes])


def _cells(row: EngineRow) -> list[str]:
    psnr = ["" if value is None else f"{value:.2f}" for value in (row.psnr_mean, row.psnr_worst)]
    seconds = [f"{row.seconds[stage]:.2f}" if stage in row.seconds else "" for stage in ("all", *STAGES)]
    size = [f"{row.bytes:,}", f"{row.source_bytes / row.bytes:.2f}"] if row.bytes else ["", ""]
    return [row.scene, f"{row.splats:,}", row.engine, *size, *psnr, f"{row.dropped:,}", *seconds]
