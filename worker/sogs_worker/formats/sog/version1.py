"""SOG version 1, as PlayCanvas' sogs writes it: linear ranges in place of codebooks; its meta.json has no version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.origin import centre
from sogs_worker.encode.positions import Means, dequantize_positions
from sogs_worker.encode.rotation import unpack_rotations
from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog.attributes import read_attribute, read_labels, read_plane, read_rotations, read_steps
from sogs_worker.formats.sog.bundle import Files
from sogs_worker.formats.sog.meta_fields import (
    Section,
    parse_count,
    parse_doubles,
    parse_files,
    parse_number,
    parse_numbers,
    parse_sections,
    shown,
)
from sogs_worker.formats.sog.planes import PALETTE_ROW, read_palette_entries
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Splats

MAX_PALETTE = 65536


@dataclass(frozen=True)
class Range:
    """The values of bytes 0 and 255, of which the others are at even distances; (C,) float32, one a channel."""

    low: Floats
    high: Floats

    def values(self, codes: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Floats:
        """Return the values, (..., C) float32, of bytes."""
        steps = np.arange(256)[:, None] / 255
        table = (self.low * (1 - steps) + self.high * steps).astype(np.float32)
        return table[codes, np.arange(len(self.low))]


@dataclass(frozen=True)
class DocumentV1:
    """The original program's metadata, in its own words.

    Attributes:
        document: meta.json, with the shapes of all sections.
    """

    document: Section

    @property
    def count(self) -> int:
        """Splats."""
        return _parse_shape(self.document["means"])

    def to_document(self) -> Section:
        """Return the document."""
        return self.document

    def to_json(self) -> bytes:
        """Write it as the original program does."""
        return json.dumps(self.document, indent=2).encode("ascii")


@dataclass(frozen=True)
class MetaV1:
    """Metadata of a scene.

    Attributes:
        count: splats.
        means: log-transformed positions of steps 0 and 65535, (3,) float64 each.
        scales: natural logarithms.
        sh0: constant SH coefficients, and as fourth channel the opacity's logit.
        shn: of all other SH coefficients, the same for each channel; None without.
        files: names of each attribute's planes.
    """

    count: int
    means: tuple[NDArray[np.float64], NDArray[np.float64]]
    scales: Range
    sh0: Range
    shn: Range | None
    files: Mapping[str, tuple[str, ...]]

    @property
    def coefficients(self) -> int:
        """The most SH coefficients a channel above the constant one: only the palette's plane says how many."""
        return SH_COEFFICIENTS[-1] if self.shn else 0

    @property
    def file_names(self) -> list[str]:
        """All planes' names."""
        return [name for names in self.files.values() for name in names]

    @property
    def ranges(self) -> dict[str, list[float]]:
        """The least and the greatest value of each attribute that has bytes."""
        bounds = {
            "scales": (self.scales.low, self.scales.high),
            "sh0": (self.sh0.low[:3], self.sh0.high[:3]),
            "opacity": (self.sh0.low[3], self.sh0.high[3]),
        }
        if self.shn:
            bounds["shN"] = (self.shn.low, self.shn.high)
        return {name: [float(low.min()), float(high.max())] for name, (low, high) in bounds.items()}


def parse_meta_v1(document: Section) -> MetaV1:
    """Parse meta.json.

    Raises:
        BadInputError: without the file's name; says which field is wrong, what was expected and what is there.
    """
    sections = parse_sections(document)
    shn = sections.get("shN")
    return MetaV1(
        count=_parse_shape(sections["means"]),
        means=(parse_doubles(sections["means"], "means.mins", 3), parse_doubles(sections["means"], "means.maxs", 3)),
        scales=_parse_range(sections["scales"], "scales", 3),
        sh0=_parse_range(sections["sh0"], "sh0", 4),
        shn=_parse_common_range(shn) if shn else None,
        files={name: parse_files(section, name) for name, section in sections.items()},
    )


@dataclass(frozen=True)
class CodesV1:
    """The bytes of N splats.

    Attributes:
        steps: positions, (N, 3) uint16.
        rotations: (N, 4) uint8, smallest three.
        scales: (N, 3) uint8.
        sh0: (N, 4) uint8, the last one the opacity.
        palette: entries, (P, C, 3) uint8, and each splat's entry, (N,) uint16; None without SH bands.
    """

    steps: NDArray[np.uint16]
    rotations: NDArray[np.uint8]
    scales: NDArray[np.uint8]
    sh0: NDArray[np.uint8]
    palette: tuple[NDArray[np.uint8], NDArray[np.uint16]] | None


def decode_v1(meta: MetaV1, files: Files) -> CodesV1:
    """Decode the planes of a scene.

    Raises:
        BadInputError: names the plane and what is wrong with it.
    """
    return CodesV1(
        steps=read_steps(files, meta.files["means"], meta.count),
        rotations=read_rotations(files, meta.files["quats"][0], meta.count),
        scales=read_attribute(files, meta.files["scales"][0], meta.count)[:, :3],
        sh0=read_attribute(files, meta.files["sh0"][0], meta.count),
        palette=_decode_palette(meta, files) if meta.shn else None,
    )


def read_v1(meta: MetaV1, files: Files) -> Splats:
    """Read a scene; see `decode_v1`."""
    codes = decode_v1(meta, files)
    sh0 = meta.sh0.values(codes.sh0)
    shn = np.empty((meta.count, 0, 3), np.float32)
    if meta.shn and codes.palette:
        entries, labels = codes.palette
        shn = meta.shn.values(entries)[labels]
    scales = meta.scales.values(codes.scales)
    positions, origin = centre(dequantize_positions(Means(codes.steps, *meta.means)), scales)
    return Splats(
        positions=positions,
        rotations=unpack_rotations(codes.rotations),
        scales=scales,
        opacities=sh0[:, 3],
        sh0=sh0[:, :3],
        shn=shn,
        origin=origin,
    )


def _decode_palette(meta: MetaV1, files: Files) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Return the palette, which is as large as its plane, and each splat's entry."""
    centroids, labels = meta.files["shN"]
    plane = read_plane(files, centroids, 0)
    height, width, _ = plane.shape
    if width not in (allowed := [PALETTE_ROW * each for each in SH_COEFFICIENTS[1:]]):
        raise BadInputError(
            f"{centroids}: the palette must be one of {allowed} texels wide, got {width}; write it again"
        )
    count = min(height * PALETTE_ROW, MAX_PALETTE)
    entries = read_palette_entries(plane, count, width // PALETTE_ROW)
    indices = read_labels(files, labels, meta.count)
    if indices.max() >= count:
        raise BadInputError(
            f"{labels}: label {indices.max()} is out of range; the palette has {count} entries; write it again"
        )
    return entries, indices


def _parse_shape(means: Section) -> int:
    """Return the count of splats from [N, 3]."""
    shape = means.get("shape")
    if not isinstance(shape, list) or not shape:
        raise BadInputError(
            f"meta.json has no version, and means.shape must be a list then, got {shown(shape)}; write it again"
        )
    return parse_count(shape[0], "means.shape")


def _parse_range(section: Section, attribute: str, channels: int) -> Range:
    low, high = (parse_numbers(section, f"{attribute}.{end}", channels) for end in ("mins", "maxs"))
    return Range(low, high)


def _parse_common_range(section: Section) -> Range:
    low, high = (np.full(3, parse_number(section.get(end), f"shN.{end}"), np.float32) for end in ("mins", "maxs"))
    return Range(low, high)
