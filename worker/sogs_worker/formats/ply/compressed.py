"""Compressed PLY of PlayCanvas: 16 bytes a splat, within bounds that 256 consecutive splats share.

The layout is the one that splat-transform writes and the PlayCanvas engine reads (`GSplatCompressedData`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.typing import NDArray

from sogs_worker.encode.opacity import dequantize_opacities
from sogs_worker.encode.origin import centre
from sogs_worker.encode.quaternions import complete
from sogs_worker.errors import BadInputError
from sogs_worker.formats.bands import describe_dropped
from sogs_worker.formats.colour import colours_to_sh0
from sogs_worker.formats.ply.header import Element, Header
from sogs_worker.formats.ply.layout import count_sh_coefficients, sh_names
from sogs_worker.formats.ply.model import parse_model
from sogs_worker.formats.ply.rows import Rows
from sogs_worker.splats import Floats, Origin, Splats

GROUP = 256
"""Splats that share bounds."""

BLOCK = 256 * GROUP
"""Splats decoded at once: float64 intermediates of a whole scene would be larger than the scene."""

PACKED = ("packed_position", "packed_rotation", "packed_scale", "packed_color")

SH_RANGE = 8.0
"""Coefficients of the higher bands lie within +-4."""

Words = NDArray[np.uint32]
Table = NDArray[Any]
Wide = NDArray[np.float64]


def is_compressed(header: Header) -> bool:
    """Tell a compressed PLY from a plain one by what its vertices have."""
    vertex = header.find("vertex")
    return vertex is not None and any(each.name == PACKED[0] for each in vertex.properties)


def read_compressed(file: BinaryIO, header: Header) -> Splats:
    """Read the splats of a compressed PLY whose header has been read.

    Raises:
        BadInputError: without the file's name; if an element or property is missing, or the file is too short.
    """
    if header.encoding == "ascii":
        raise BadInputError("a compressed PLY in text cannot be read; write it as binary")
    vertices = Rows(file, header, _require(header, "vertex"))
    bounds = Rows(file, header, _require(header, "chunk"))
    harmonics = Rows(file, header, element) if (element := header.find("sh")) else None
    count = vertices.element.count
    if count == 0:
        raise BadInputError("the PLY declares 0 vertices; export a scene with at least one splat")
    if bounds.element.count * GROUP < count:
        raise BadInputError(
            f"{bounds.element.count:,} chunks of {GROUP} are fewer than the {count:,} vertices; export it again"
        )
    if harmonics and harmonics.element.count != count:
        raise BadInputError(f"the PLY has {count:,} vertices, but sh of {harmonics.element.count:,}; export it again")
    with np.errstate(over="ignore", invalid="ignore"):  # bounds may be anything; the encoder drops what is not finite
        arrays, origin = _unpack_vertices(vertices, bounds)
    shn, notes = _unpack_harmonics(harmonics) if harmonics else (np.empty((count, 0, 3), np.float32), ())
    return Splats(**arrays, shn=shn, origin=origin, notes=notes, model=parse_model(header.comments))


def _require(header: Header, name: str) -> Element:
    element = header.find(name)
    if element is None:
        raise BadInputError(f"the compressed PLY has no element {name}; export the scene again")
    return element


def _blocks(rows: Rows) -> Iterator[tuple[slice, Table]]:
    """Read rows a block at a time, with their place."""
    count = rows.element.count
    for first in range(0, count, BLOCK):
        place = slice(first, min(first + BLOCK, count))
        yield place, rows.read(first, place.stop - first)


def _unpack_vertices(vertices: Rows, bounds: Rows) -> tuple[dict[str, Any], Origin]:
    count = vertices.element.count
    widths = {"rotations": 4, "scales": 3, "sh0": 3, "opacities": 1}
    arrays: dict[str, Floats] = {name: np.empty((count, width), np.float32) for name, width in widths.items()}
    positions = np.empty((count, 3))
    fields = [_word_field(vertices, name) for name in PACKED]
    limits = {name: _bound_fields(bounds, middle) for name, middle in (("positions", ""), ("scales", "scale_"))}
    if any(each.name == "min_r" for each in bounds.element.properties):
        limits["sh0"] = _bound_fields(bounds, "", "rgb")
    for place, rows in _blocks(vertices):
        ranges = bounds.read(place.start // GROUP, -(-place.stop // GROUP) - place.start // GROUP)
        for name, values in _unpack_words(*(rows[field].astype(np.uint32) for field in fields)).items():
            target = positions if name == "positions" else arrays[name]
            target[place] = _spread(values, ranges, *limits[name]) if name in limits else values
    arrays["sh0"][:] = colours_to_sh0(arrays["sh0"])
    arrays["opacities"] = arrays["opacities"][:, 0]
    arrays["positions"], origin = centre(positions, arrays["scales"])
    return arrays, origin


def _word_field(rows: Rows, name: str) -> str:
    field = rows.field(name)
    if rows.dtype[field].kind not in "iu" or rows.dtype[field].itemsize != np.dtype(np.uint32).itemsize:
        raise BadInputError(f"vertex property {name} must be uint; export the scene again")
    return field


def _bound_fields(bounds: Rows, middle: str, axes: str = "xyz") -> tuple[list[str], list[str]]:
    """Return the fields of the least and of the greatest value on each axis."""
    low, high = ([bounds.field(f"{end}_{middle}{axis}") for axis in axes] for end in ("min", "max"))
    return low, high


def _unpack_words(position: Words, rotation: Words, scale: Words, colour: Words) -> dict[str, Wide]:
    """Take the values out of their bits, all but rotations and opacities still as fractions of their range."""
    return {
        "positions": _split(position, (21, 11, 0), (11, 10, 11)),
        "scales": _split(scale, (21, 11, 0), (11, 10, 11)),
        "rotations": complete((_split(rotation, (20, 10, 0), (10, 10, 10)) - 0.5) * np.sqrt(2), rotation >> 30),
        "sh0": _split(colour, (24, 16, 8), (8, 8, 8)),
        "opacities": dequantize_opacities((colour & 0xFF).astype(np.uint8))[:, None].astype(np.float64),
    }


def _split(words: Words, shifts: tuple[int, ...], bits: tuple[int, ...]) -> Wide:
    """Return some of a word's parts, each from 0 to 1, (N, len(shifts))."""
    masks = [(1 << each) - 1 for each in bits]
    parts = [(words >> shift & mask) / mask for shift, mask in zip(shifts, masks, strict=True)]
    return np.stack(parts, axis=1)


def _spread(fractions: Wide, ranges: Table, low: list[str], high: list[str]) -> Wide:
    """Interpolate between the bounds of each splat's group."""
    groups = np.arange(len(fractions)) // GROUP
    lows, highs = (structured_to_unstructured(ranges[names], np.float64)[groups] for names in (low, high))
    # Where both are -Inf, as those of scales may be, so is what lies between them.
    return np.where(lows == highs, lows, lows * (1 - fractions) + highs * fractions)


def _unpack_harmonics(harmonics: Rows) -> tuple[Floats, tuple[str, ...]]:
    """Return the higher bands, (N, C, 3), and what is to be said of them.

    Byte b is the middle of the b-th of 256 steps, but 0 and 255 are the ends.
    """
    stored = count_sh_coefficients([each.name for each in harmonics.element.properties])
    names = sh_names(stored)
    fields = [harmonics.field(name) for name in names]
    for field, name in zip(fields, names, strict=True):
        if harmonics.dtype[field] != np.uint8:
            raise BadInputError(f"sh property {name} must be uchar; export the scene again")
    steps = (np.arange(256) + 0.5) / 256
    steps[[0, -1]] = 0, 1
    values = ((steps - 0.5) * SH_RANGE).astype(np.float32)
    shn = np.empty((harmonics.element.count, len(names)), np.float32)
    for place, rows in _blocks(harmonics):
        for i, field in enumerate(fields):
            shn[place, i] = values[rows[field]]
    return shn.reshape(len(shn), -1, 3) if names else shn.reshape(len(shn), 0, 3), describe_dropped(stored)
