"""A bitstream from fields: numbers of so many bits each, one behind the other, from the lowest bit of a byte up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

WORD = 32

_LOW = (1 << WORD) - 1


@dataclass(frozen=True)
class Fields:
    """Numbers in the order in which they are written.

    Attributes:
        values: (F,) int64, not negative.
        lengths: (F,) int64, bits of each, 0 to 60; a value is below 2^length.
    """

    values: Tensor
    lengths: Tensor


def fields_of(pairs: Sequence[tuple[int, int]], device: torch.device) -> Fields:
    """Make fields of (value, length) pairs."""
    table = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).to(device)
    return Fields(table[:, 0], table[:, 1])


def join(parts: Sequence[Fields]) -> Fields:
    """Put fields one behind the other."""
    return Fields(torch.cat([part.values for part in parts]), torch.cat([part.lengths for part in parts]))


def pack(fields: Fields) -> bytes:
    """Write all fields, padded with zero bits to whole bytes.

    Every field is moved to its place in up to three words of 32 bits. The bits of different fields are disjoint, so
    that adding them is the same as joining them, in any order.
    """
    ends = fields.lengths.cumsum(0)
    size_bits = int(ends[-1])
    starts = ends.sub_(fields.lengths)
    shifts = starts & (WORD - 1)
    word = starts >> 5
    words = torch.zeros(size_bits // WORD + 3, dtype=torch.int64, device=starts.device)
    low = (fields.values & _LOW) << shifts
    words.index_add_(0, word, low & _LOW)
    high = (fields.values >> WORD) << shifts
    words.index_add_(0, word.add_(1), low.bitwise_right_shift_(WORD).add_(high & _LOW))
    words.index_add_(0, word.add_(1), high.bitwise_right_shift_(WORD))
    return words.cpu().numpy().astype("<u4").tobytes()[: -(-size_bits // 8)]
