"""The symbols that stand for a plane, and the groups of blocks that share codes: each depends on the other."""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.blocks import Grid, Grouping, group_blocks, group_counts, one_group
from sogs_worker.formats.sog.vp8l.estimates import code_costs, coded_bits
from sogs_worker.formats.sog.vp8l.repeats import Repeats, find_distances, pack_colours, same_as_left, with_cache
from sogs_worker.formats.sog.vp8l.symbols import Channels, Symbols, literal_symbols, split_channels
from sogs_worker.formats.sog.vp8l.tokens import Prices, choose_tokens, first_prices

CACHES = (0, 6, 9)
"""Sizes of the colour cache to try, in bits; 0 for none."""

CACHE_SAMPLE = 1 << 16
"""Pixels that caches are tried on."""

CACHE_GAIN = 0.005
"""Share of the size that a cache has to save there: where it saves less, groups of blocks save more without it."""

ROUNDS = 2
"""Times that symbols of a repetitive plane are chosen by the groups' codes, and the groups by the symbols."""


def select_symbols(plane: Tensor, grid: Grid, *, repetitive: bool) -> tuple[Symbols, Grouping]:
    """Choose symbols for a (4, H, W) uint8 plane; if it is not repetitive, copies only of the pixel to the left."""
    channels = split_channels(plane)
    if not any(isinstance(channel, Tensor) for channel in channels):
        return literal_symbols(channels), one_group(plane.device)
    colours = pack_colours(plane)
    distances = find_distances(colours) if repetitive else same_as_left(colours)
    repeats = Repeats.at(distances, plane.shape[2])
    if repetitive:
        repeats = with_cache(repeats, colours, _best_cache(channels, repeats, colours))
    symbols = choose_tokens(channels, repeats, first_prices(channels, repeats))
    grouping = group_blocks(symbols, grid)
    if not repetitive:
        return symbols, grouping
    for _ in range(ROUNDS):
        symbols = choose_tokens(channels, repeats, _group_prices(symbols, grouping))
        grouping = group_blocks(symbols, grid, grouping)
    return symbols, grouping


def _group_prices(symbols: Symbols, grouping: Grouping) -> Prices:
    steps = code_costs(group_counts(symbols, grouping)).int()
    return Prices(steps, grouping.grid.of_pixels(grouping.groups) if grouping.count > 1 else None)


def _best_cache(channels: Channels, repeats: Repeats, colours: Tensor) -> int:
    """Try caches on a piece of the plane; return the bits of the best, 0 for none."""
    piece = slice(len(colours) // 2, len(colours) // 2 + CACHE_SAMPLE)
    part = [channel[piece] if isinstance(channel, Tensor) else channel for channel in channels]
    trials = [with_cache(repeats.part(piece), colours[piece], bits) for bits in CACHES]
    sizes = torch.stack([_size(choose_tokens(part, each, first_prices(part, each))) for each in trials]).tolist()
    return CACHES[sizes.index(min(sizes))] if min(sizes) < (1 - CACHE_GAIN) * sizes[0] else 0


def _size(symbols: Symbols) -> Tensor:
    """Estimate the bits of symbols with the same codes everywhere."""
    codes, tables = coded_bits(group_counts(symbols, one_group(symbols.device)))
    return codes + tables + sum(bits.sum() for _, bits in symbols.extras.values())
