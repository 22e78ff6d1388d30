"""The scenes of a run: the user's files, or ones of any size made from a smaller scene."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError
from sogs_worker.errors import WorkerError
from sogs_worker.formats.ply.header import Header, read_header

UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
VAGUE = ("scene", "point_cloud")
"""File names that say nothing; such a scene is called after its folder."""


@dataclass(frozen=True)
class Scene:
    """A PLY file to encode.

    Attributes:
        name: unique in a run.
        splats: as its header declares.
        cameras: views to judge results from; None: the evaluator's own.
    """

    name: str
    path: Path
    splats: int
    cameras: Path | None

    @property
    def size_bytes(self) -> int:
        """Return the file's size."""
        return self.path.stat().st_size


def open_header(path: Path) -> Header:
    """Read what a PLY file declares.

    Raises:
        BenchmarkError: it is not there or not a PLY.
    """
    try:
        with path.open("rb") as file:
            return read_header(file)
    except OSError as error:
        raise BenchmarkError(f"{path}: {error.strerror or error}; check the path") from error
    except WorkerError as error:
        raise BenchmarkError(f"{path}: {error}") from error


def open_scene(path: Path, cameras: Path | None = None) -> Scene:
    """Describe a file by its header; `cameras`, or else a cameras.json beside it, has its views.

    Raises:
        BenchmarkError: one is not there, or the scene is not a PLY with vertices.
    """
    header = open_header(path)
    splats = next((element.count for element in header.elements if element.name == "vertex"), 0)
    if not splats:
        raise BenchmarkError(f"{path}: the PLY has no vertices; name a scene of Gaussian splats")
    name = path.resolve().parent.name if path.stem in VAGUE else path.stem
    beside = path.with_name("cameras.json")
    if cameras and not cameras.is_file():
        raise BenchmarkError(f"{cameras}: no file of cameras is there; check the path")
    return Scene(name, path, splats, cameras or (beside if beside.exists() else None))


def open_scenes(paths: list[Path]) -> list[Scene]:
    """Describe all files; smallest first, so that a run that is cut short has something to show.

    Raises:
        BenchmarkError: as `open_scene`, or two scenes have one name.
    """
    scenes = sorted((open_scene(path) for path in paths), key=lambda scene: scene.splats)
    names = [scene.name for scene in scenes]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise BenchmarkError(f"{twice}: two scenes have this name; rename one file")
    return scenes


def parse_count(text: str) -> int:
    """Read a number of splats such as `30000`, `30k` or `1.5m`.

    Raises:
        BenchmarkError: it is not one.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", text.lower())
    count = round(float(match[1]) * UNITS[match[2]]) if match else 0
    if not count:
        raise BenchmarkError(f"{text}: not a number of splats; write it as 30000, 30k or 1.5m")
    return count


def format_count(count: int) -> str:
    """Write a number of splats with the unit that keeps it short: 30k, 1.5m."""
    for unit in ("m", "k"):
        if count >= UNITS[unit]:
            return f"{count / UNITS[unit]:.4g}{unit}"
    return str(count)
