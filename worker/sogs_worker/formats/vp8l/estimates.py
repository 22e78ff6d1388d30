"""How long prefix codes will be, estimated from how often their symbols are used, before any code is made."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 16
"""Steps of a bit in which code lengths are estimated: whole numbers, so that sums are the same in any order."""

IMPOSSIBLE = 250
"""Bits that a second symbol is reckoned with where the only one takes none: then all uses of that would take some."""

SYMBOL_BITS = 4.5
"""Bits that a used symbol takes in the tables of code lengths, about."""


def code_costs(counts: Tensor) -> Tensor:
    """Estimate the code lengths of K groups, (K, ..., n) counts, float32 whole numbers of steps.

    No code is shorter than a bit, and the only symbol of a group takes none. A symbol that a group does not use is
    reckoned with as if it were used twice, times its share of the whole.
    """
    whole = counts.sum(dim=0, keepdim=True).double()
    smooth = counts + 2 * (whole + 0.02) / (whole.sum(dim=-1, keepdim=True) + 0.02 * whole.shape[-1])
    total = smooth.sum(dim=-1, keepdim=True)
    most = smooth.amax(dim=-1, keepdim=True)
    skewed = 2 * most > total
    bits = torch.where(skewed, 1 + (total - most).log2(), total.log2()) - smooth.log2()
    bits = torch.where(skewed & (smooth == most), 1, bits)
    alone = counts.amax(dim=-1, keepdim=True) == counts.sum(dim=-1, keepdim=True)
    bits = torch.where(alone, torch.where(smooth == most, 0, IMPOSSIBLE), bits)
    return (bits * STEPS).round().float()


def coded_bits(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Estimate the bits of all symbols of (..., n) histograms, and of their codes: float64, without dimensions.

    A symbol takes what information theory says, but no less than a bit.
    """
    wide = counts.double()
    total, most = wide.sum(dim=-1), wide.amax(dim=-1)
    rest = total - most
    information = _times_log(wide).sum(dim=-1)
    skewed = total + _times_log(rest) - (information - _times_log(most))
    even = _times_log(total) - information
    symbols = torch.where(rest == 0, 0, torch.where(2 * most > total, skewed, even))
    return symbols.sum(), (counts > 0).sum() * SYMBOL_BITS


def _times_log(values: Tensor) -> Tensor:
    return values * values.clamp_min(1).log2()
