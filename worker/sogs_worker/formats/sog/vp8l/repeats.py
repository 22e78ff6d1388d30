"""Where colours come again: at a distance, in runs of one distance, and in the decoder's cache of colours.

Source: RFC 9649, sections 3.6.2.2 and 3.6.2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.symbols import split_number
from sogs_worker.formats.sog.vp8l.transforms import ALPHA, BLUE, GREEN, RED

LONGEST_RUN = 4096

_MULTIPLIER = 0x1E35A7BD
_SHORT_CODES = 120
_FARTHEST = (1 << 20) - _SHORT_CODES

_LEFT_CODES = (2, 6, 14, 24, 40, 56, 74, 97)
"""Distance codes of the 1 to 8 pixels before, in the same row."""

_ABOVE_CODES = (1, 5, 13, 23, 35, 55, 73)
"""Distance codes of the same column in the 1 to 7 rows above."""


@dataclass(frozen=True)
class Repeats:
    """What could stand for the pixels of an image instead of their channels, int64 (N,) each.

    Attributes:
        distances: pixels back to the last of the same colour; 0 where there is none within reach.
        codes: symbols of the distances.
        extra: bits behind the symbols.
        extra_bits: their number.
        slots: the place of a pixel's colour in the cache, -1 where that has another colour; None if there is no cache.
        cache_bits: of the cache, 0 for none.
    """

    distances: Tensor
    codes: Tensor
    extra: Tensor
    extra_bits: Tensor
    slots: Tensor | None
    cache_bits: int

    @staticmethod
    def at(distances: Tensor, width: int) -> Repeats:
        """Describe distances in an image so many pixels wide."""
        found = distances.nonzero().squeeze(1)  # mostly a small part
        parts = split_number(_distance_codes(distances[found], width))
        codes, extra, bits = (torch.zeros_like(distances).index_copy_(0, found, part) for part in parts)
        return Repeats(distances, codes, extra, bits, None, 0)

    def part(self, pixels: slice) -> Repeats:
        """Return what there is for some pixels, without a cache."""
        distances, codes = self.distances[pixels], self.codes[pixels]
        return Repeats(distances, codes, self.extra[pixels], self.extra_bits[pixels], None, 0)


@dataclass(frozen=True)
class Runs:
    """Pixels that repeat others at one distance.

    Attributes:
        starts: (R,) int64, the first pixel of each.
        lengths: (R,) int64, 2 to 4096.
    """

    starts: Tensor
    lengths: Tensor


def with_cache(repeats: Repeats, colours: Tensor, bits: int) -> Repeats:
    """Also look up colours in a cache of 2^bits, 0 for none."""
    return replace(repeats, slots=_find_cached(colours, bits) if bits else None, cache_bits=bits)


def find_distances(colours: Tensor) -> Tensor:
    """Return the pixels back to the last of the same colour, (N,) int64, 0 if there is none within reach."""
    halves = ((colours & 0xFFFF) - 0x8000).short(), ((colours >> 16) - 0x8000).short()
    order = halves[0].sort(stable=True).indices  # 16 bits at a time: a CPU sorts them by their digits
    order = order[halves[1][order].sort(stable=True).indices]
    found = _last(colours[order], order)
    distances = torch.arange(len(colours), device=colours.device) - found
    return torch.where((found < 0) | (distances > _FARTHEST), 0, distances)


def same_as_left(colours: Tensor) -> Tensor:
    """Return distances, (N,) int64, as far as they are 1."""
    same = torch.zeros_like(colours)
    same[1:] = colours[1:] == colours[:-1]
    return same


def find_runs(distances: Tensor) -> Runs:
    """Find where pixels repeat others at the same distance, in pieces of at most LONGEST_RUN."""
    places = torch.arange(len(distances), device=distances.device)
    changes = torch.ones_like(distances, dtype=torch.bool)
    changes[1:] = distances[1:] != distances[:-1]
    first = torch.where(changes, places, 0).cummax(0).values
    starts = (changes | ((places - first) % LONGEST_RUN == 0)).nonzero().squeeze(1)
    lengths = torch.diff(starts, append=starts.new_full((1,), len(distances)))
    kept = (lengths > 1) & (distances[starts] > 0)
    return Runs(starts[kept], lengths[kept])


def pack_colours(plane: Tensor) -> Tensor:
    """Return alpha, red, green, blue of a (4, H, W) plane as (H W,) int64, alpha highest."""
    wide = plane.flatten(1).long()
    return (wide[ALPHA] << 24) | (wide[RED] << 16) | (wide[GREEN] << 8) | wide[BLUE]


def _find_cached(colours: Tensor, bits: int) -> Tensor:
    slots = ((colours * _MULTIPLIER) & 0xFFFFFFFF) >> (32 - bits)
    order = slots.short().sort(stable=True).indices
    found = _last(slots[order], order)
    return torch.where((found >= 0) & (colours[found] == colours), slots, -1)


def _last(keys: Tensor, order: Tensor) -> Tensor:
    """Return the last pixel before each with the same key, -1 where there is none; `order` sorts the pixels."""
    same = keys[1:] == keys[:-1]
    found = torch.full_like(order, -1)
    found[order[1:]] = torch.where(same, order[:-1], -1)
    return found


def _distance_codes(distances: Tensor, width: int) -> Tensor:
    """Return the numbers, from 1, that stand for distances in an image so many pixels wide: small ones nearby."""
    codes = distances + _SHORT_CODES
    for steps, code in enumerate(_ABOVE_CODES, start=1):
        codes = torch.where(distances == steps * width, code, codes)
    for steps, code in enumerate(_LEFT_CODES, start=1):
        codes = torch.where(distances == steps, code, codes)
    return codes
