"""meta.json of SOG version 2: what the planes' numbers mean."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Any

import numpy as np

from sogs_worker.errors import BadInputError
from sogs_worker.splats import Floats

VERSION = 2
GENERATOR = "sogs-worker"
MAX_PALETTE = 65536

FILES = {
    "means": ("means_l.webp", "means_u.webp"),
    "scales": ("scales.webp",),
    "quats": ("quats.webp",),
    "sh0": ("sh0.webp",),
    "shN": ("shN_centroids.webp", "shN_labels.webp"),
}
"""The canonical names of each attribute's planes, which some readers demand."""


@dataclass(frozen=True)
class PaletteMeta:
    """`count` palette entries of `bands` SH bands, whose values are in `codebook`, (256,) float32."""

    count: int
    bands: int
    codebook: Floats


@dataclass(frozen=True)
class Meta:
    """Metadata of a bundle.

    Attributes:
        count: splats.
        mins, maxs: (3,) float32, log-transformed positions of steps 0 and 65535.
        scales, sh0: (256,) float32 codebooks.
        palette: None without SH bands.
        files: names of each attribute's planes.
    """

    count: int
    mins: Floats
    maxs: Floats
    scales: Floats
    sh0: Floats
    palette: PaletteMeta | None
    files: Mapping[str, tuple[str, ...]]

    @property
    def file_names(self) -> list[str]:
        """All planes' names."""
        return [name for names in self.files.values() for name in names]

    def to_json(self) -> bytes:
        """Write the document; numbers are the shortest that give the same float32."""
        document: dict[str, Any] = {
            "version": VERSION,
            "asset": {"generator": GENERATOR},
            "count": self.count,
            "means": {"mins": _numbers(self.mins), "maxs": _numbers(self.maxs), "files": self.files["means"]},
            "scales": {"codebook": _numbers(self.scales), "files": self.files["scales"]},
            "quats": {"files": self.files["quats"]},
            "sh0": {"codebook": _numbers(self.sh0), "files": self.files["sh0"]},
        }
        if self.palette:
            document["shN"] = {
                "count": self.palette.count,
                "bands": self.palette.bands,
                "codebook": _numbers(self.palette.codebook),
                "files": self.files["shN"],
            }
        return json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")


def parse_meta(data: bytes) -> Meta:
    """Parse meta.json.

    Raises:
        BadInputError: without the file's name; says which field is wrong, what was expected and what is there.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInputError("meta.json is not valid JSON; write the bundle again") from error
    if not isinstance(document, dict) or document.get("version") != VERSION:
        version = document.get("version", 1) if isinstance(document, dict) else None
        raise BadInputError(f"SOG version {version!r} cannot be read; expected version {VERSION}")
    parts = [name for name in FILES if name != "shN" or document.get("shN") is not None]
    sections = {name: _section(document, name) for name in parts}
    return Meta(
        count=_parse_count(document, "count", None),
        mins=_parse_numbers(sections["means"], "means.mins", 3),
        maxs=_parse_numbers(sections["means"], "means.maxs", 3),
        scales=_parse_numbers(sections["scales"], "scales.codebook", 256),
        sh0=_parse_numbers(sections["sh0"], "sh0.codebook", 256),
        palette=_parse_palette(sections["shN"]) if "shN" in sections else None,
        files={name: _parse_files(section, name) for name, section in sections.items()},
    )


def _numbers(values: Floats) -> list[float]:
    return [float(str(value)) for value in values]


def _section(document: dict[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name)
    if not isinstance(section, dict):
        raise BadInputError(f"meta.json has no {name}; write the bundle again")
    return section


def _parse_palette(section: dict[str, Any]) -> PaletteMeta:
    return PaletteMeta(
        count=_parse_count(section, "shN.count", MAX_PALETTE),
        bands=_parse_count(section, "shN.bands", 3),
        codebook=_parse_numbers(section, "shN.codebook", 256),
    )


def _parse_count(section: dict[str, Any], field: str, greatest: int | None) -> int:
    value = section.get(field.split(".")[-1])
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (greatest and value > greatest):
        limit = f"1 to {greatest}" if greatest else "1 or more"
        raise BadInputError(f"meta.json: {field} must be {limit}, got {value!r}")
    return value


def _parse_numbers(section: dict[str, Any], field: str, length: int) -> Floats:
    values = section.get(field.split(".")[-1])
    if not isinstance(values, list) or len(values) != length:
        got = f"{len(values)}" if isinstance(values, list) else repr(values)[:80]
        raise BadInputError(f"meta.json: {field} must have {length} numbers, got {got}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise BadInputError(f"meta.json: {field} must have finite numbers only, got {value!r}")
    return np.array(values, np.float32)


def _parse_files(section: dict[str, Any], attribute: str) -> tuple[str, ...]:
    names = section.get("files")
    expected = len(FILES[attribute])
    if not isinstance(names, list) or len(names) != expected:
        raise BadInputError(f"meta.json: {attribute}.files must name {expected} files, got {names!r}")
    for name in names:
        if not isinstance(name, str) or PureWindowsPath(name).name != name or not name.strip("."):
            raise BadInputError(f"meta.json: {attribute}.files must be plain file names, got {name!r}")
    return tuple(names)
