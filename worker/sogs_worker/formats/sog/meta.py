"""meta.json of SOG version 2: what the planes' numbers mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.positions import shortest
from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog.meta_fields import (
    FILES,
    Section,
    parse_count,
    parse_doubles,
    parse_files,
    parse_numbers,
    parse_sections,
    shown,
)
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Model

__all__ = ["FILES", "Meta", "PaletteMeta", "parse_meta"]

VERSION = 2
GENERATOR = "sogs-worker"
MAX_PALETTE = 65536


@dataclass(frozen=True)
class PaletteMeta:
    """`count` palette entries of `bands` SH bands, whose values are in `codebook`, (256,) float32.

    Without a count, which some encoders leave out, the entries are those that the plane has room for.
    """

    count: int | None
    bands: int
    codebook: Floats


@dataclass(frozen=True)
class Meta:
    """Metadata of a bundle.

    Attributes:
        count: splats.
        mins, maxs: (3,) float64, log-transformed positions of steps 0 and 65535.
        scales, sh0: (256,) float32 codebooks.
        palette: None without SH bands.
        files: names of each attribute's planes.
        model: how to draw the scene.
    """

    count: int
    mins: NDArray[np.float64]
    maxs: NDArray[np.float64]
    scales: Floats
    sh0: Floats
    palette: PaletteMeta | None
    files: Mapping[str, tuple[str, ...]]
    model: Model = Model.DEFAULT

    @property
    def file_names(self) -> list[str]:
        """All planes' names."""
        return [name for names in self.files.values() for name in names]

    @property
    def coefficients(self) -> int:
        """SH coefficients a channel above the constant one."""
        return SH_COEFFICIENTS[self.palette.bands] if self.palette else 0

    @property
    def ranges(self) -> dict[str, list[float]]:
        """The least and the greatest value of each codebook."""
        books = {"scales": self.scales, "sh0": self.sh0} | ({"shN": self.palette.codebook} if self.palette else {})
        return {name: [float(book.min()), float(book.max())] for name, book in books.items()}

    def to_document(self) -> dict[str, Any]:
        """Return the document; numbers are as short as can be: see `shortest`."""
        document: dict[str, Any] = {
            "version": VERSION,
            "asset": {"generator": GENERATOR},
            "count": self.count,
            **({} if self.model is Model.DEFAULT else {"model": str(self.model)}),
            "means": {"mins": shortest(self.mins), "maxs": shortest(self.maxs), "files": self.files["means"]},
            "scales": {"codebook": shortest(self.scales), "files": self.files["scales"]},
            "quats": {"files": self.files["quats"]},
            "sh0": {"codebook": shortest(self.sh0), "files": self.files["sh0"]},
        }
        if self.palette:
            document["shN"] = {
                "count": self.palette.count,
                "bands": self.palette.bands,
                "codebook": shortest(self.palette.codebook),
                "files": self.files["shN"],
            }
        return document

    def to_json(self) -> bytes:
        """Write the document."""
        return json.dumps(self.to_document(), separators=(",", ":"), allow_nan=False).encode("ascii")


def parse_meta(document: Section) -> Meta:
    """Parse meta.json.

    Raises:
        BadInputError: without the file's name; says which field is wrong, what was expected and what is there.
    """
    if document.get("version") != VERSION:
        raise BadInputError(
            f"SOG version {shown(document.get('version'))} cannot be read; write it as version 1 or {VERSION}"
        )
    sections = parse_sections(document)
    return Meta(
        count=parse_count(document.get("count"), "count"),
        mins=parse_doubles(sections["means"], "means.mins", 3),
        maxs=parse_doubles(sections["means"], "means.maxs", 3),
        scales=parse_numbers(sections["scales"], "scales.codebook", 256),
        sh0=parse_numbers(sections["sh0"], "sh0.codebook", 256),
        palette=_parse_palette(sections["shN"]) if "shN" in sections else None,
        files={name: parse_files(section, name) for name, section in sections.items()},
        model=_parse_model(document),
    )


def _parse_model(document: Section) -> Model:
    """Return the model that splat-transform has named, or what `antialias` of the format's page says.

    A name that is not known means an ordinary scene, as which one of any model can be drawn, if not quite so well.
    """
    unnamed = Model.ANTIALIASED if document.get("antialias") is True else Model.DEFAULT
    return next((model for model in Model if model == document.get("model")), unnamed)


def _parse_palette(section: Section) -> PaletteMeta:
    return PaletteMeta(
        count=parse_count(section["count"], "shN.count", MAX_PALETTE) if section.get("count") is not None else None,
        bands=parse_count(section.get("bands"), "shN.bands", 3),
        codebook=parse_numbers(section, "shN.codebook", 256),
    )
