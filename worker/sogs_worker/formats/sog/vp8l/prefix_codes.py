"""Prefix codes of least length for many alphabets at once: lengths by package-merge, bits in canonical order.

Source: L. L. Larmore and D. S. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", J. ACM 37
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

MAX_LENGTH = 15
"""Bits of a code in WebP."""

_SYMBOL_BITS = 12
"""An alphabet has at most 256 + 24 + 2^11 symbols."""

_TAG_BITS = 16
"""Lower bits of a weight: 0 for a symbol, and not 0 for a pair, whatever two pairs' bits add up to."""

_NEVER = 1 << 30
"""Weight of a symbol that is not used: more than any sum of used ones."""


def code_lengths(counts: Tensor, limit: int = MAX_LENGTH) -> Tensor:
    """Find the code lengths of least total size.

    Args:
        counts: (B, n) int64, how often each of n <= 4096 symbols of B alphabets is used, below 2^30 in all; at most
            2^limit symbols are used.
        limit: greatest length, at most 15.

    Returns:
        (B, n) int64, 0 for unused symbols; 1 for the symbol of an alphabet that uses only one.
    """
    present = counts > 0
    used = present.sum(dim=1, keepdim=True)
    symbols = torch.arange(counts.shape[1], device=counts.device)
    keys = sort_rows(((counts + ~present * _NEVER) << _SYMBOL_BITS) | symbols)
    order, weights = keys & ((1 << _SYMBOL_BITS) - 1), keys >> _SYMBOL_BITS
    taken = _leaves_taken(weights, (2 * used - 2).clamp_min_(0), limit)
    lengths = torch.zeros_like(order).scatter_(1, order, (symbols[:, None] < taken[:, None]).sum(dim=2))
    return torch.maximum(lengths, (used == 1) & present)


def _leaves_taken(weights: Tensor, items: Tensor, limit: int) -> Tensor:
    """Return how many symbols package-merge takes at each level, (B, limit).

    Args:
        weights: (B, n) int64, ascending.
        items: (B, 1) int64, symbols and pairs to take at the last level.
        limit: number of levels.
    """
    leaves = weights << _TAG_BITS
    levels = [leaves]
    for _ in range(limit - 1):
        below = levels[-1][:, : levels[-1].shape[1] // 2 * 2]
        levels.append(sort_rows(torch.cat([leaves, (below[:, 0::2] + below[:, 1::2]) | 1], dim=1)))
    is_leaf = (torch.cat(levels, dim=1) & ((1 << _TAG_BITS) - 1)) == 0
    before = torch.nn.functional.pad(is_leaf.cumsum(dim=1), (1, 0))  # leaves in all levels until there
    taken, end = [], is_leaf.shape[1]
    for level in reversed(levels):
        end -= level.shape[1]
        taken.append(before.gather(1, items + end) - before[:, end : end + 1])
        items = 2 * (items - taken[-1])
    return torch.cat(taken, dim=1)


def sort_rows(keys: Tensor) -> Tensor:
    """Sort the last dimension, ascending."""
    if keys.device.type == "cpu":  # NumPy sorts with vector instructions
        return torch.from_numpy(np.sort(keys.numpy(), axis=-1))
    return keys.sort(dim=-1).values


def canonical_codes(lengths: Tensor) -> Tensor:
    """Return the codes, (B, n) int64, as they are written: first bit lowest; codes of unused symbols mean nothing.

    Aligned to 15 bits, a code is the share of the code space that is used by the codes before it.

    Args:
        lengths: (B, n) int64, of complete codes or of one symbol.
    """
    symbols = torch.arange(lengths.shape[1], device=lengths.device)
    keys = sort_rows((torch.where(lengths > 0, lengths, MAX_LENGTH + 1) << _SYMBOL_BITS) | symbols)
    order, ascending = keys & ((1 << _SYMBOL_BITS) - 1), keys >> _SYMBOL_BITS
    shares = (1 << MAX_LENGTH) >> ascending
    aligned = torch.empty_like(shares).scatter_(1, order, shares.cumsum(dim=1) - shares)
    return _reversed(aligned.device)[aligned]


@functools.cache
def _reversed(device: torch.device) -> Tensor:
    """Return the lower 15 bits of all numbers up to 2^15 in reverse, (32769,) int64."""
    numbers = np.arange((1 << MAX_LENGTH) + 1)
    bits = (numbers[:, None] >> np.arange(MAX_LENGTH)) & 1
    return torch.from_numpy(bits @ (1 << np.arange(MAX_LENGTH)[::-1])).to(device)
