"""Symbols of the five alphabets that WebP writes for an image, before any prefix code is known.

Source: RFC 9649, sections 3.6 and 3.7.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

LITERALS = 256
LENGTHS = 24
DISTANCES = 40

Extra = tuple[Tensor, Tensor]
"""Values and lengths of bits behind a code, (T,) int64 each."""


@dataclass(frozen=True)
class Symbols:
    """What stands for an image: a symbol of up to five alphabets for each of T tokens.

    Attributes:
        codes: (T,) int64 each, symbols of green (literals, lengths, cached colours), red, blue, alpha, distance; the
            alphabet's size where a token has none.
        pixels: (T,) int64, the pixel at which each token begins; None if each pixel is a token.
        length_extra: bits behind the length's code; None if there are no lengths.
        distance_extra: bits behind the distance's code; None if there are no lengths.
        cache_bits: of the colour cache, 0 for none.
    """

    codes: tuple[Tensor, ...]
    pixels: Tensor | None = None
    length_extra: Extra | None = None
    distance_extra: Extra | None = None
    cache_bits: int = 0

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.codes[0].device

    @property
    def sizes(self) -> tuple[int, int, int, int, int]:
        """Symbols of each alphabet."""
        cached = 1 << self.cache_bits if self.cache_bits else 0
        return LITERALS + LENGTHS + cached, LITERALS, LITERALS, LITERALS, DISTANCES

    def alphabets(self) -> list[tuple[Tensor, int]]:
        """Return each alphabet's symbols and its size."""
        return list(zip(self.codes, self.sizes, strict=False))


def literal_symbols(plane: Tensor) -> Symbols:
    """Write each pixel of a (4, H, W) uint8 plane as it is."""
    return Symbols(tuple(plane.flatten(1).long()))


def split_number(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split lengths or distances, int64 from 1 to 2^20, into a symbol, extra bits and their number."""
    rest = values - 1
    bits = (torch.frexp(rest.float()).exponent.long() - 2).clamp_min(0)
    symbols = torch.where(rest < 4, rest, 2 * bits + (rest >> bits))
    return symbols, rest & ((1 << bits) - 1), bits
