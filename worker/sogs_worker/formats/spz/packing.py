"""SPZ version 4, written: each attribute rounded as Niantic's own library does, in a Zstandard stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.encode.opacity import alphas_of
from sogs_worker.encode.quaternions import leave_out_largest
from sogs_worker.errors import BadInputError
from sogs_worker.files import replacing
from sogs_worker.formats.blocks import split_rows
from sogs_worker.formats.spz.file import COLOUR_SCALE
from sogs_worker.formats.spz.streams import ANTIALIASED, HEADER, MAGIC, TABLE_ENTRY, TABLE_PLACE, ZSTD_VERSION
from sogs_worker.formats.spz.zstd import compress_zstd
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Model, Splats

FRACTION_BITS = 12
"""Binary digits of a coordinate after the point, as all writers have them: the smallest splat is a fifth of a step."""

LARGEST = 2**23 - 1
"""Steps that a coordinate can be from the origin."""

HARMONIC_STEPS = (8, 16)
"""Of 256, what coefficients of band 1, and of the others, are a multiple of: 5 and 4 bits, the library's default."""

Pack = Callable[[Splats], NDArray[Any]]
"""Returns the bytes of an attribute of some splats, a row each."""


def write_spz(path: Path, splats: Splats) -> None:
    """Write a scene of finite values, its axes as they are; `path` appears only when it is whole.

    Raises:
        BadInputError: it is too far from the origin for the format's coordinates.
    """
    packers = _list_packers(splats)
    header = HEADER.pack(
        MAGIC,
        ZSTD_VERSION,
        len(splats),
        splats.sh_bands,
        _choose_fraction_bits(splats.positions),
        ANTIALIASED if splats.model is Model.ANTIALIASED else 0,
        len(packers),
    )
    with replacing(path) as file:
        table_start = HEADER.size + TABLE_PLACE.size
        file.write(header + TABLE_PLACE.pack(table_start) + bytes(TABLE_ENTRY.size * len(packers)))
        table = b""
        for row_bytes, pack in packers:
            size_bytes = row_bytes * len(splats)
            table += TABLE_ENTRY.pack(compress_zstd(file, _pack_blocks(splats, pack), size_bytes), size_bytes)
        file.seek(table_start)
        file.write(table)


def _list_packers(splats: Splats) -> list[tuple[int, Pack]]:
    """Return the attributes in the order of the format: the bytes of a splat, and what packs them."""
    scale = 2.0 ** _choose_fraction_bits(splats.positions)
    packers: list[tuple[int, Pack]] = [
        (9, lambda rows: _pack_fixed_point(rows.positions.astype(np.float64) * scale)),
        (1, lambda rows: _round(255 * alphas_of(rows.opacities))),
        (3, lambda rows: _round(255 * (COLOUR_SCALE * rows.sh0.astype(np.float64) + 0.5))),
        (3, lambda rows: _round(16 * (rows.scales.astype(np.float64) + 10))),
        (4, lambda rows: _pack_rotations(rows.rotations)),
    ]
    if splats.sh_bands:
        packers.append((3 * splats.shn.shape[1], lambda rows: _pack_harmonics(rows.shn)))
    return packers


def _pack_blocks(splats: Splats, pack: Pack) -> Iterator[bytes]:
    return (pack(splats.take(place)).tobytes() for place in split_rows(len(splats)))


def _choose_fraction_bits(positions: Floats) -> int:
    """Return how many digits after the point the farthest coordinate leaves room for, at most the usual ones."""
    farthest = max(abs(float(positions.min())), abs(float(positions.max())))
    for bits in range(FRACTION_BITS, -1, -1):
        if farthest * 2**bits <= LARGEST:
            return bits
    raise BadInputError(f"a coordinate of {farthest:g} is beyond SPZ's {LARGEST:,}; move the scene to the origin first")


def _nearest(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Round halves away from 0, as the library does, so that equal scenes are equal files."""
    nearest: NDArray[np.float64] = np.trunc(values + np.copysign(0.5, values))
    return nearest


def _round(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    return _clip(_nearest(values))


def _clip(steps: NDArray[Any]) -> NDArray[np.uint8]:
    clipped: NDArray[np.uint8] = np.clip(steps, 0, 255).astype(np.uint8)
    return clipped


def _pack_fixed_point(steps: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return the 9 bytes of 3 coordinates, low byte first, (N, 9)."""
    words = _nearest(steps).astype("<i4")
    return np.ascontiguousarray(words.view(np.uint8).reshape(-1, 3, 4)[..., :3]).reshape(-1, 9)


def _pack_rotations(rotations: Floats) -> NDArray[np.uint32]:
    """Return words, (N,): which of x, y, z, w is missing, then sign and 9 bits of each other one."""
    rest, largest = leave_out_largest(np.roll(rotations, -1, axis=1))
    parts = (np.abs(rest) / np.sqrt(0.5) * 0x1FF + 0.5).astype(np.uint32)
    parts[rest < 0] |= 0x200
    words: NDArray[np.uint32] = parts[:, 0] << 20 | parts[:, 1] << 10 | parts[:, 2] | largest.astype(np.uint32) << 30
    return words.astype("<u4")


def _pack_harmonics(shn: Floats) -> NDArray[np.uint8]:
    """Return (N, C, 3), 128 for 0."""
    steps = np.where(np.arange(shn.shape[1]) < SH_COEFFICIENTS[1], *HARMONIC_STEPS)[:, None]
    values = np.clip(_nearest(shn.astype(np.float64) * 128) + 128, 0, 512).astype(np.int64)
    return _clip((values + steps // 2) // steps * steps)
