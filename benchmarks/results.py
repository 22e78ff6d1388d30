"""The rows of a run, and the file that keeps them: a line a row, so that a run that is cut short is not lost."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Row:
    """One encoder on one scene; None is what could not be measured.

    Attributes:
        scene: name; splats, source_bytes, cameras: of it (cameras: its own ones were used).
        encoder, family, version: who.
        seconds: wall time; where `is_over`, the limit at which it was ended: a lower bound.
        peak_rss_bytes: host memory. peak_gpu_bytes: above what was in use before.
        bytes: of the bundle.
        psnr_mean, psnr_worst: dB. decoder: who decoded for them.
        note: why something is missing.
    """

    scene: str
    splats: int
    source_bytes: int
    cameras: bool
    encoder: str
    family: str
    version: str
    seconds: float | None = None
    is_over: bool = False
    peak_rss_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    bytes: int | None = None
    psnr_mean: float | None = None
    psnr_worst: float | None = None
    decoder: str = ""
    note: str = ""


@dataclass(frozen=True)
class Run:
    """All rows of one command on one machine."""

    machine: str
    command: str
    rows: tuple[Row, ...]


def start_results(path: Path, *, machine: str, command: str) -> None:
    """Begin a file of results, in place of an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "command": command}) + "\n")


def append_row(path: Path, row: Row) -> None:
    """Add a row to the file."""
    with path.open("a") as file:
        file.write(json.dumps(dataclasses.asdict(row)) + "\n")


def read_run(path: Path) -> Run:
    """Read a file of results.

    Raises:
        BenchmarkError: it is not there, or not one.
    """
    try:
        head, *rows = (json.loads(line) for line in path.read_text().splitlines())
        return Run(head["machine"], head["command"], tuple(Row(**row) for row in rows))
    except OSError as error:
        raise BenchmarkError(f"{path}: {error.strerror or error}; check the path") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BenchmarkError(f"{path}: not a file of results of this version; run the benchmark again") from error


def by_scene(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Group rows by their scene's name, in their order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.scene, []).append(row)
    return groups
