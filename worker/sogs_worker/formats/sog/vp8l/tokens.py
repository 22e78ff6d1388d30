"""Which pixels are written channel by channel, which as cached colours, and which as copies: what takes least bits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.estimates import STEPS, code_costs
from sogs_worker.formats.sog.vp8l.repeats import Repeats, Runs, find_runs
from sogs_worker.formats.sog.vp8l.symbols import (
    DISTANCES,
    LENGTHS,
    LITERALS,
    Channels,
    Symbols,
    histograms,
    split_number,
)

_NEVER = 1 << 24
"""Steps of a bit: what is impossible costs so much."""

LENGTH_SHARE = 16
"""One of so many symbols is each length, to begin with."""

_LITERAL, _CACHED, _COPIED = range(3)


@dataclass(frozen=True)
class Prices:
    """Estimated lengths of codes.

    Attributes:
        steps: (K, 5, n) int32: what a group's symbol of each of the five alphabets takes, in steps of a bit.
        groups: (N,) int64, the group of each pixel; None if there is one.
    """

    steps: Tensor
    groups: Tensor | None

    def of(self, alphabet: int, symbols: Tensor | int, pixels: Tensor | None = None) -> Tensor:
        """Return what symbols, or one symbol, take at each pixel or at each of `pixels`; not spread where all agree."""
        if self.groups is None:
            return self.steps[0, alphabet][symbols]
        groups = self.groups if pixels is None else self.groups[pixels]
        _, alphabets, size = self.steps.shape
        return self.steps.flatten()[(groups * alphabets + alphabet) * size + symbols]


def first_prices(channels: Channels, repeats: Repeats) -> Prices:
    """Estimate code lengths as if every pixel were written as a cached colour or by its channels, and as a copy too."""
    whole = len(repeats.codes)
    written = torch.ones_like(repeats.codes, dtype=torch.bool) if repeats.slots is None else repeats.slots < 0
    cached = 1 << repeats.cache_bits if repeats.cache_bits else 0
    counts = written.new_zeros(1, 5, LITERALS + LENGTHS + cached, dtype=torch.int64)
    for alphabet, channel in enumerate(channels):
        _count(channel, written, counts[0, alphabet, :LITERALS])
    counts[0, 0, LITERALS : LITERALS + LENGTHS] = whole // LENGTH_SHARE
    if repeats.slots is not None:
        _count(repeats.slots, ~written, counts[0, 0, LITERALS + LENGTHS :])
    _count(repeats.codes, repeats.distances > 0, counts[0, 4, :DISTANCES])
    return Prices(code_costs(counts).int(), None)


def _count(codes: Tensor | int, counted: Tensor, counts: Tensor) -> None:
    """Write into (n,) int64 how often each symbol is among those counted."""
    if isinstance(codes, Tensor):
        size = len(counts)
        counts[:] = histograms(torch.where(counted, codes, size), None, 1, size)[0]
    else:
        counts[codes] = counted.sum()


def choose_tokens(channels: Channels, repeats: Repeats, prices: Prices) -> Symbols:
    """Choose what stands for the pixels at these prices."""
    literal = torch.zeros_like(repeats.codes, dtype=torch.int32)
    for alphabet, channel in enumerate(channels):
        literal += prices.of(alphabet, channel)
    reach = prices.of(4, repeats.codes) + STEPS * repeats.extra_bits.int()
    copied = torch.where(repeats.distances > 0, prices.of(0, LITERALS) + reach, _NEVER)
    least = torch.minimum(literal, copied)
    kinds = (literal > copied).to(torch.uint8) * _COPIED
    if repeats.slots is not None:
        cached = prices.of(0, LITERALS + LENGTHS + repeats.slots.clamp_min(0))
        cheaper = (cached < least) & (repeats.slots >= 0)
        least, kinds = torch.where(cheaper, cached, least), torch.where(cheaper, _CACHED, kinds)
    return _symbols(
        channels, repeats, *_with_runs(kinds, _worthwhile(find_runs(repeats.distances), least, reach, prices))
    )


def _worthwhile(runs: Runs, least: Tensor, reach: Tensor, prices: Prices) -> Runs:
    """Keep the runs that take less as one copy than their pixels take one by one."""
    ends = torch.nn.functional.pad(least.cumsum(0, dtype=torch.int64), (1, 0))
    codes, _, bits = split_number(runs.lengths)
    copied = prices.of(0, LITERALS + codes, runs.starts) + STEPS * bits + reach[runs.starts]
    worth = copied < ends[runs.starts + runs.lengths] - ends[runs.starts]
    return Runs(runs.starts[worth], runs.lengths[worth])


def _with_runs(kinds: Tensor, runs: Runs) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels where tokens begin, and the kind and length of each token."""
    lengths = torch.ones_like(kinds, dtype=torch.int32)
    lengths[runs.starts] = runs.lengths.int()
    edges = torch.zeros(len(kinds) + 1, dtype=torch.int8, device=kinds.device)
    edges[runs.starts + 1] = 1
    edges[runs.starts + runs.lengths] -= 1
    pixels = (edges[:-1].cumsum(0, dtype=torch.int8) == 0).nonzero().squeeze(1)
    kinds = kinds.index_fill(0, runs.starts, _COPIED)
    return pixels, kinds[pixels], lengths[pixels]


def _symbols(channels: Channels, repeats: Repeats, pixels: Tensor, kinds: Tensor, lengths: Tensor) -> Symbols:
    """Write what tokens are; most are literals, so that the others are written over them where they are."""
    codes = [each[pixels] if isinstance(each, Tensor) else each for each in channels]
    green, *others = codes
    if not isinstance(green, Tensor):
        green = torch.full_like(pixels, green)
    copies = (kinds == _COPIED).nonzero().squeeze(1)
    sources = pixels[copies]
    length_codes, length_rest, length_bits = split_number(lengths[copies].long())
    green[copies] = LITERALS + length_codes
    _leave_out(others, copies)
    if repeats.slots is not None:
        hits = (kinds == _CACHED).nonzero().squeeze(1)
        green[hits] = LITERALS + LENGTHS + repeats.slots[pixels[hits]]
        _leave_out(others, hits)
    far = torch.full_like(pixels, DISTANCES).index_copy_(0, copies, repeats.codes[sources])
    none = torch.zeros_like(pixels)
    extras = {
        0: (none.index_copy(0, copies, length_rest), none.index_copy(0, copies, length_bits)),
        4: (
            none.index_copy(0, copies, repeats.extra[sources]),
            none.index_copy(0, copies, repeats.extra_bits[sources]),
        ),
    }
    return Symbols((green, *others, far), pixels, extras, repeats.cache_bits)


def _leave_out(channels: list[Tensor | int], tokens: Tensor) -> None:
    for channel in channels:
        if isinstance(channel, Tensor):
            channel[tokens] = LITERALS
