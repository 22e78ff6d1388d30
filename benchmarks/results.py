"""The rows of runs, and the file that keeps them as each is measured: several commands may build one file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
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
        machine, command: where and by what it was measured; empty until it is kept.
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
    machine: str = ""
    command: str = ""

    @property
    def file(self) -> tuple[str, int]:
        """Return what tells its scene from others: commands may have given one name to different files."""
        return self.scene, self.source_bytes


def keep_row(path: Path, row: Row) -> None:
    """Add a row to a file of results, in place of an older one of the same machine, scene and encoder.

    The file is whole at any time. Raises what `read_rows` raises.
    """
    older = read_rows(path) if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(f"{json.dumps(dataclasses.asdict(each))}\n" for each in merge_rows([*older, row])))
    part.replace(path)


def read_rows(path: Path) -> list[Row]:
    """Read a file of results.

    Raises:
        BenchmarkError: it is not there, or not one.
    """
    try:
        return [Row(**json.loads(line)) for line in path.read_text().splitlines()]
    except OSError as error:
        raise BenchmarkError(f"{path}: {error.strerror or error}; check the path") from error
    except (ValueError, TypeError) as error:
        raise BenchmarkError(f"{path}: not a file of results of this version; move it away or name another") from error


def merge_rows(rows: Iterable[Row]) -> list[Row]:
    """Return one row for each machine, scene and encoder: the last there is, at the place of the first."""
    return list({(row.machine, *row.file, row.encoder): row for row in rows}.values())


def by_scene(rows: Iterable[Row]) -> list[list[Row]]:
    """Group rows by their scene, in their order."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault(row.file, []).append(row)
    return list(groups.values())
