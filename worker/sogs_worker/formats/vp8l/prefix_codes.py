"""Prefix codes of least length for many alphabets at once: lengths by package-merge, bits in canonical order.

Source: L. L. Larmore and D. S. Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", J. ACM 37
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MAX_LENGTH = 15
"""Bits of a code in WebP."""

_SYMBOL_BITS = 12
"""An alphabet has at most 256 + 24 + 2^11 symbols."""

_NEVER = 1 << 40
"""Weight of a symbol that is not used: more than any sum of used ones."""


def code_lengths(counts: Tensor, limit: int = MAX_LENGTH) -> Tensor:
    """Find the code lengths of least total size.

    Args:
        counts: (B, n) int64, how often each of n <= 4096 symbols of B alphabets is used; at most 2^limit are used.
        limit: greatest length.

    Returns:
        (B, n) int64, 0 for unused symbols; 1 for the symbol of an alphabet that uses only one.
    """
    used = (counts > 0).sum(dim=1, keepdim=True)
    symbols = torch.arange(counts.shape[1], device=counts.device)
    keys = sort_rows((torch.where(counts > 0, counts, _NEVER) << _SYMBOL_BITS) | symbols)
    order, weights = keys & ((1 << _SYMBOL_BITS) - 1), keys >> _SYMBOL_BITS
    taken = torch.zeros_like(order)
    places = torch.arange(2 * counts.shape[1], device=counts.device)
    items = (2 * used - 2).clamp_min(0)
    for leaf in reversed(_levels(weights, limit)):
        leaves = (leaf & (places[: leaf.shape[1]] < items)).sum(dim=1, keepdim=True)
        taken += symbols < leaves
        items = 2 * (items - leaves)
    lengths = torch.zeros_like(taken).scatter_(1, order, taken)
    return torch.where((used == 1) & (counts > 0), 1, lengths)


def _levels(weights: Tensor, limit: int) -> list[Tensor]:
    """Merge ascending (B, n) weights with pairs of the level before; return where symbols lie at each level."""
    leaves = weights << 1
    level = leaves
    found = [torch.ones_like(leaves, dtype=torch.bool)]
    for _ in range(limit - 1):
        whole = level[:, : level.shape[1] // 2 * 2] >> 1
        pairs = (whole[:, 0::2] + whole[:, 1::2]).clamp_max_(_NEVER)
        level = sort_rows(torch.cat([leaves, (pairs << 1) | 1], dim=1))
        found.append((level & 1) == 0)
    return found


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
    return _reverse(aligned)


def _reverse(values: Tensor) -> Tensor:
    """Reverse the order of the lower 15 bits."""
    reversed_ = torch.zeros_like(values)
    for bit in range(MAX_LENGTH):
        reversed_ |= ((values >> bit) & 1) << (MAX_LENGTH - 1 - bit)
    return reversed_
