"""A writer of lossless WebP (VP8L) whose every step runs in parallel over the pixels, on a CPU or a GPU.

The format is that of RFC 9649. Writing: transforms, then symbols, then prefix codes for groups of blocks, then bits.
"""

from __future__ import annotations

from torch import Tensor

from sogs_worker.formats.sog.vp8l.bits import Fields, fields_of, join, pack
from sogs_worker.formats.sog.vp8l.blocks import Grid, fitting_grid
from sogs_worker.formats.sog.vp8l.choice import Transform, apply_transform, choose_transform
from sogs_worker.formats.sog.vp8l.image import main_image, number_image

__all__ = ["encode_vp8l"]

_SIGNATURE = 0x2F
_SIDE_BITS = 14
_PREDICT, _SUBTRACT_GREEN = 0, 2


def encode_vp8l(plane: Tensor) -> bytes:
    """Encode (H, W, 4) uint8, RGBA, sides 1 to 16,383, as a WebP file of exactly these pixels."""
    height, width, _ = plane.shape
    channels = plane.permute(2, 0, 1)[[1, 0, 2, 3]]
    grid = fitting_grid(height, width)
    transform = choose_transform(channels)
    residuals, modes = apply_transform(channels, transform, grid)
    fields = [
        fields_of([*_header(width, height), *_green(transform)], plane.device),
        *_prediction(grid, modes),
        fields_of([(0, 1)], plane.device),
        main_image(residuals, grid, repetitive=transform.repetitive),
    ]
    return _riff(pack(join(fields)))


def _header(width: int, height: int) -> list[tuple[int, int]]:
    """Return the signature, the size, that alpha is used, and the version."""
    return [(_SIGNATURE, 8), (width - 1, _SIDE_BITS), (height - 1, _SIDE_BITS), (1, 1), (0, 3)]


def _green(transform: Transform) -> list[tuple[int, int]]:
    return [(1, 1), (_SUBTRACT_GREEN, 2)] if transform.green else []


def _prediction(grid: Grid, modes: Tensor | None) -> list[Fields]:
    """Write the mode of each block, if anything is predicted."""
    if modes is None:
        return []
    return [
        fields_of([(1, 1), (_PREDICT, 2), (grid.bits - 2, 3)], modes.device),
        number_image(modes.reshape(grid.shape)),
    ]


def _riff(payload: bytes) -> bytes:
    """Put the bitstream into a file: a RIFF container of one chunk, padded to an even size."""
    padded = payload + bytes(len(payload) % 2)
    chunk = b"VP8L" + len(payload).to_bytes(4, "little") + padded
    return b"RIFF" + (len(chunk) + 4).to_bytes(4, "little") + b"WEBP" + chunk
