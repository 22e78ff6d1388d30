"""Symbols of the five alphabets that WebP writes for an image, before any prefix code is known.

Source: RFC 9649, sections 3.6 and 3.7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LITERALS = 256
LENGTHS = 24
DISTANCES = 40

Channels = list[Tensor | int]
"""Green, red, blue and alpha of a plane, (N,) int64 each, or the only value that there is."""

Extra = tuple[Tensor, Tensor]
"""Values and lengths of bits behind a code, (T,) int64 each."""


@dataclass(frozen=True)
class Symbols:
    """What stands for an image: a symbol of up to five alphabets for each of T tokens.

    Attributes:
        codes: the symbols of green (literals, lengths, cached colours), red, blue, alpha, distance, (T,) int64 each,
            the alphabet's size where a token has none; or the only symbol that there is, or None if there is none.
        pixels: (T,) int64, the pixel at which each token begins; None if each pixel is a token.
        extras: bits behind the codes of lengths and of distances, by alphabet.
        cache_bits: of the colour cache, 0 for none.
    """

    codes: tuple[Tensor | int | None, ...]
    pixels: Tensor | None
    extras: dict[int, Extra]
    cache_bits: int

    @property
    def device(self) -> torch.device:
        """Where the symbols are, of which some alphabet uses several."""
        return next(iter(self.varied.values())).device

    @property
    def sizes(self) -> tuple[int, ...]:
        """Symbols of each alphabet."""
        cached = 1 << self.cache_bits if self.cache_bits else 0
        return LITERALS + LENGTHS + cached, LITERALS, LITERALS, LITERALS, DISTANCES

    @property
    def varied(self) -> dict[int, Tensor]:
        """Symbols of the alphabets that use more than one, by alphabet."""
        return {alphabet: codes for alphabet, codes in enumerate(self.codes) if isinstance(codes, Tensor)}


def literal_symbols(channels: Channels) -> Symbols:
    """Write each pixel as it is."""
    return Symbols((*channels, None), None, {}, 0)


def split_channels(plane: Tensor) -> Channels:
    """Return the channels of a (4, H, W) uint8 plane."""
    flat = plane.flatten(1)
    limits = torch.stack([flat.amin(dim=1), flat.amax(dim=1)]).tolist()
    return [low if low == high else flat[place].long() for place, (low, high) in enumerate(zip(*limits, strict=True))]


def split_number(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split lengths or distances, int64 from 1 to 2^20, into a symbol, extra bits and their number."""
    rest = values - 1
    bits = (torch.frexp(rest.float()).exponent.long() - 2).clamp_min(0)
    symbols = torch.where(rest < 4, rest, 2 * bits + (rest >> bits))
    return symbols, rest & ((1 << bits) - 1), bits


def histograms(codes: Tensor, rows: Tensor | None, count: int, size: int) -> Tensor:
    """Count the symbols of each of `count` rows, (count, size) int64; symbols equal to `size` are not counted.

    Args:
        codes: (T,) int64.
        rows: (T,) int64, the row of each symbol; None if all are in one.
        count: rows.
        size: of the alphabet.
    """
    places = codes if rows is None else rows * (size + 1) + codes
    if places.device.type == "cpu":  # several times faster than torch's
        counts = torch.from_numpy(np.bincount(places.numpy(), minlength=count * (size + 1)))
    else:
        counts = torch.zeros(count * (size + 1), dtype=torch.int64, device=codes.device)
        counts.scatter_add_(0, places, torch.ones_like(places))
    return counts.reshape(count, size + 1)[:, :size]
