"""Which pixels are written channel by channel, which as cached colours, and which as copies: what takes least bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.formats.vp8l.blocks import STEPS
from sogs_worker.formats.vp8l.repeats import Repeats, Runs, find_runs
from sogs_worker.formats.vp8l.symbols import DISTANCES, LENGTHS, LITERALS, Symbols, split_number

_NEVER = 1 << 24
"""Steps of a bit: what is impossible costs so much."""

_LITERAL, _CACHED, _COPIED = range(3)


@dataclass(frozen=True)
class Prices:
    """Estimated lengths of codes.

    Attributes:
        steps: (K, n) int32 for each of the five alphabets: what a group's symbol takes, in steps of a bit.
        groups: (N,) int64, the group of each pixel; None if there is one.
    """

    steps: Sequence[Tensor]
    groups: Tensor | None

    def of(self, alphabet: int, symbols: Tensor, pixels: Tensor | None = None) -> Tensor:
        """Return what one symbol at each pixel takes, or at each of `pixels`."""
        table = self.steps[alphabet]
        if self.groups is None:
            return table[0][symbols]
        groups = self.groups if pixels is None else self.groups[pixels]
        return table.flatten()[groups * table.shape[1] + symbols]


def choose_tokens(plane: Tensor, repeats: Repeats, prices: Prices) -> Symbols:
    """Choose what stands for the pixels of a (4, H, W) uint8 plane at these prices."""
    channels = plane.flatten(1).long()
    literal = torch.stack([prices.of(alphabet, channel) for alphabet, channel in enumerate(channels)]).sum(dim=0)
    reach = prices.of(4, repeats.codes) + STEPS * repeats.extra_bits
    alone = prices.of(0, torch.full_like(repeats.codes, LITERALS))
    ways = [literal, literal + _NEVER, torch.where(repeats.distances > 0, alone + reach, _NEVER)]
    if repeats.slots is not None:
        cached = prices.of(0, LITERALS + LENGTHS + repeats.slots.clamp_min(0))
        ways[_CACHED] = torch.where(repeats.slots >= 0, cached, _NEVER)
    least, kinds = torch.stack(ways).min(dim=0)
    runs = _worthwhile(find_runs(repeats.distances), least, reach, prices)
    return _symbols(channels, repeats, *_with_runs(kinds, runs))


def _worthwhile(runs: Runs, least: Tensor, reach: Tensor, prices: Prices) -> Runs:
    """Keep the runs that take less as one copy than their pixels take one by one."""
    ends = torch.nn.functional.pad(least.cumsum(0, dtype=torch.int64), (1, 0))
    codes, _, bits = split_number(runs.lengths)
    copied = prices.of(0, LITERALS + codes, runs.starts) + STEPS * bits + reach[runs.starts]
    worth = copied < ends[runs.starts + runs.lengths] - ends[runs.starts]
    return Runs(runs.starts[worth], runs.lengths[worth])


def _with_runs(kinds: Tensor, runs: Runs) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixels where tokens begin, and the kind and length of each token."""
    lengths = torch.ones_like(kinds)
    lengths[runs.starts] = runs.lengths
    edges = torch.zeros(len(kinds) + 1, dtype=torch.int8, device=kinds.device)
    edges[runs.starts + 1] += 1
    edges[runs.starts + runs.lengths] -= 1
    pixels = (edges[:-1].cumsum(0, dtype=torch.int8) == 0).nonzero().squeeze(1)
    kinds = kinds.index_fill(0, runs.starts, _COPIED)
    return pixels, kinds[pixels], lengths[pixels]


def _symbols(channels: Tensor, repeats: Repeats, pixels: Tensor, kinds: Tensor, lengths: Tensor) -> Symbols:
    literal, copied = kinds == _LITERAL, kinds == _COPIED
    length_codes, length_rest, length_bits = split_number(lengths)
    green = torch.where(literal, channels[0][pixels], LITERALS + length_codes)
    if repeats.slots is not None:
        green = torch.where(kinds == _CACHED, LITERALS + LENGTHS + repeats.slots[pixels], green)
    others = [torch.where(literal, channel[pixels], LITERALS) for channel in channels[1:]]
    return Symbols(
        codes=(green, *others, torch.where(copied, repeats.codes[pixels], DISTANCES)),
        pixels=pixels,
        length_extra=(length_rest * copied, length_bits * copied),
        distance_extra=(repeats.extra[pixels] * copied, repeats.extra_bits[pixels] * copied),
        cache_bits=repeats.cache_bits,
    )
