"""SPZ of Niantic Spatial, versions 1 to 4: attributes in 8 to 24 bits a value (README.md and load-spz.cc of spz).

Coordinates are taken as they are, unless the file declares where its axes point. The format's text says that y points
up and z back where it does not, but splat-transform stores a PLY's axes unchanged, and so do most files.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import dequantize_opacities
from sogs_worker.encode.origin import centre
from sogs_worker.encode.quaternions import complete
from sogs_worker.files import reading
from sogs_worker.formats.axes import to_ply_axes
from sogs_worker.formats.bands import count_coefficients, describe_dropped
from sogs_worker.formats.blocks import decode_rows
from sogs_worker.formats.spz.extensions import Extensions, parse_extensions
from sogs_worker.formats.spz.streams import Header, ReadStream, opened_streams
from sogs_worker.splats import SH_COEFFICIENTS, Model, Splats

COLOUR_SCALE = 0.15
"""A colour's byte is 0.5 plus this times the SH constant, in 255ths, so that some values beyond displays' fit."""

FIRST_FIXED_POINT = 2
FIRST_SMALLEST_THREE = 3
"""Versions from which positions are 24 bits, and rotations 4 bytes."""

Bytes = NDArray[np.uint8]
_STEPS = np.arange(256)
_SCALES = (_STEPS / 16 - 10).astype(np.float32)
_COLOURS = ((_STEPS / 255 - 0.5) / COLOUR_SCALE).astype(np.float32)
_HARMONICS = ((_STEPS - 128) / 128).astype(np.float32)


def read_spz(path: Path) -> Splats:
    """Read a scene from an SPZ file.

    Raises:
        BadInputError: names the file and what is wrong with it.
        SourceMissingError, NotPermittedError: if it cannot be opened.
    """
    with reading(path) as file:
        splats, extensions = _read(file)
        return to_ply_axes(splats, extensions.axes) if extensions.axes else splats


def decode_spz(file: BinaryIO) -> Splats:
    """Read a scene from an SPZ file in another file, whose axes it has, whatever it declares.

    Raises:
        BadInputError: without the file's name.
    """
    return _read(file)[0]


def _read(file: BinaryIO) -> tuple[Splats, Extensions]:
    with opened_streams(file) as (header, read, read_extensions):
        splats = _decode(header, read)
        extensions = parse_extensions(read_extensions())
        return replace(splats, notes=(*splats.notes, *extensions.notes)), extensions


def _decode(header: Header, read: ReadStream) -> Splats:
    """Decode the attributes, in the file's order."""

    def rows(width: int, kind: str = "u1") -> NDArray[Any]:
        dtype = np.dtype(kind)
        return np.frombuffer(read(header.count * width * dtype.itemsize), dtype).reshape(header.count, width)

    if header.version < FIRST_FIXED_POINT:
        positions = rows(3, "<f2").astype(np.float32)
    else:
        positions = decode_rows(rows(9), 3, partial(_decode_fixed_point, fraction_bits=header.fraction_bits))
    opacities = dequantize_opacities(rows(1)[:, 0])
    sh0 = _COLOURS[rows(3)]
    scales = _SCALES[rows(3)]
    if header.version < FIRST_SMALLEST_THREE:
        rotations = decode_rows(rows(3), 4, _decode_first_three)
    else:
        rotations = decode_rows(rows(1, "<u4"), 4, _decode_smallest_three)
    shn = np.empty((header.count, 0, 3), np.float32)
    stored = count_coefficients(header.bands)
    if stored:
        kept = min(stored, SH_COEFFICIENTS[-1])
        shn = _HARMONICS[rows(3 * stored)[:, : 3 * kept]].reshape(header.count, kept, 3)
    positions, origin = centre(positions, scales)
    model = Model.ANTIALIASED if header.is_antialiased else Model.DEFAULT
    return Splats(positions, rotations, scales, opacities, sh0, shn, origin, describe_dropped(stored), model)


def _decode_fixed_point(rows: Bytes, fraction_bits: int) -> NDArray[np.float64]:
    """Return (N, 3) from 9 bytes a splat: signed, 3 bytes each, low byte first."""
    words = np.zeros((*rows.shape[:1], 3, 4), np.uint8)
    words[..., 1:] = rows.reshape(-1, 3, 3)
    return (words.view("<i4")[..., 0] >> 8) / 2.0**fraction_bits


def _decode_first_three(rows: Bytes) -> NDArray[np.float64]:
    """Return w, x, y, z from the bytes of x, y, z; w is not negative."""
    w_last = complete(rows / 127.5 - 1, np.full(len(rows), 3))
    return np.roll(w_last, 1, axis=1)


def _decode_smallest_three(rows: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return w, x, y, z from a word: which of x, y, z, w is missing, then sign and 9 bits of each other one."""
    parts = rows >> np.array([20, 10, 0], np.uint32)
    magnitudes = (parts & 0x1FF) / 0x1FF * np.sqrt(0.5)
    w_last = complete(np.where(parts & 0x200, -magnitudes, magnitudes), rows[:, 0] >> 30)
    return np.roll(w_last, 1, axis=1)
