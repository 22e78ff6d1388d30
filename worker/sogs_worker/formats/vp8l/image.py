"""Images of the bitstream: prefix codes and the codes of the pixels.

Source: RFC 9649, sections 3.6 to 3.8.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.vp8l.bits import Fields, fields_of, join
from sogs_worker.formats.vp8l.blocks import Grid, Grouping, group_blocks, group_counts
from sogs_worker.formats.vp8l.code_tables import table_fields
from sogs_worker.formats.vp8l.estimates import code_costs, coded_bits
from sogs_worker.formats.vp8l.prefix_codes import canonical_codes, code_lengths
from sogs_worker.formats.vp8l.repeats import Repeats, find_distances, pack_colours, same_as_left, with_cache
from sogs_worker.formats.vp8l.symbols import Channels, Symbols, literal_symbols, split_channels
from sogs_worker.formats.vp8l.tokens import Prices, choose_tokens, first_prices

WORTHWHILE = 0.05
"""Share of pixels whose colour comes again without which copies are not looked at."""

CACHE_GAIN = 0.995
CACHE_SAMPLE = 1 << 16
CACHES = (0, 6, 9)
"""Sizes of the colour cache to try, in bits."""


def main_image(plane: Tensor, grid: Grid, *, repetitive: bool) -> Fields:
    """Write the pixels of a transformed plane, (4, H, W) uint8, with prefix codes for groups of blocks."""
    symbols = literal_symbols(split_channels(plane))
    grouping = one_group(plane.device)
    if symbols.varied:
        symbols, grouping = _shortest(symbols, plane, grid, repetitive)
    head = [fields_of([*_cache_pairs(symbols.cache_bits), (int(grouping.count > 1), 1)], plane.device)]
    if grouping.count > 1:
        head += [fields_of([(grid.bits - 2, 3)], plane.device), number_image(grouping.groups.reshape(grid.shape))]
    return join([*head, *_coded(symbols, grouping)])


def _shortest(symbols: Symbols, plane: Tensor, grid: Grid, repetitive: bool) -> tuple[Symbols, Grouping]:
    """Choose what stands for the pixels and how blocks are grouped, in turn, as each depends on the other."""
    colours = pack_colours(plane)
    channels = symbols.codes[:4]
    if not repetitive:
        repeats = Repeats.at(same_as_left(colours), plane.shape[2])
        symbols = choose_tokens(channels, repeats, first_prices(channels, repeats))
        return symbols, group_blocks(symbols, grid)
    repeats = Repeats.at(find_distances(colours), plane.shape[2])
    repeats = with_cache(repeats, colours, best_cache(channels, repeats, colours))
    symbols = choose_tokens(channels, repeats, first_prices(channels, repeats))
    grouping = group_blocks(symbols, grid)
    prices = Prices(
        [code_costs(part).int() for part in group_counts(symbols, grouping)],
        grid.of_pixels(grouping.groups) if grouping.count > 1 else None,
    )
    symbols = choose_tokens(channels, repeats, prices)
    return symbols, group_blocks(symbols, grid, grouping)


def best_cache(channels: Channels, repeats: Repeats, colours: Tensor) -> int:
    """Try caches on a piece of the plane; return the bits of the best, 0 for none."""
    piece = slice(len(colours) // 2, len(colours) // 2 + CACHE_SAMPLE)
    part = [channel[piece] if isinstance(channel, Tensor) else channel for channel in channels]
    sizes = []
    for bits in CACHES:
        cached = with_cache(repeats.part(piece), colours[piece], bits)
        sizes.append(symbols_bits(choose_tokens(part, cached, first_prices(part, cached))))
    found = torch.stack(sizes).tolist()
    return CACHES[found.index(min(found))] if min(found) < CACHE_GAIN * found[0] else 0


def symbols_bits(symbols: Symbols) -> Tensor:
    """Estimate the bits of tokens with the same codes everywhere."""
    counts = group_counts(symbols, one_group(symbols.pixels.device))
    extras = [bits.sum() for _, bits in symbols.extras.values()]
    return torch.stack([*(bits for part in counts for bits in coded_bits(part)), *extras]).sum()


def one_group(device: torch.device) -> Grouping:
    """Use the same codes everywhere."""
    return Grouping(Grid(1, 1, 9), torch.zeros(1, dtype=torch.int64, device=device), 1)


def number_image(numbers: Tensor) -> Fields:
    """Write a small image of the bitstream's own, (H, W) int64 below 256 in green."""
    low, high = torch.stack([numbers.amin(), numbers.amax()]).tolist()
    symbols = literal_symbols([numbers.flatten() if low < high else low, 0, 0, 255])
    return join([fields_of(_cache_pairs(0), numbers.device), *_coded(symbols, one_group(numbers.device))])


def _cache_pairs(bits: int) -> list[tuple[int, int]]:
    return [(1, 1), (bits, 4)] if bits else [(0, 1)]


def _coded(symbols: Symbols, grouping: Grouping) -> list[Fields]:
    """Return the prefix codes of all groups and the tokens."""
    sizes = symbols.sizes
    width = max(sizes)
    counts = [torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in group_counts(symbols, grouping)]
    lengths = code_lengths(torch.stack(counts, dim=1).flatten(0, 1))
    rows = torch.tensor(sizes, device=lengths.device).repeat(grouping.count)
    bits = torch.where((lengths > 0).sum(dim=1, keepdim=True) > 1, lengths, 0)
    codes = canonical_codes(lengths) & ((1 << bits) - 1)
    packed = (codes | (bits << 16)).reshape(grouping.count, len(sizes), width)
    tables = table_fields(lengths, rows)
    return [tables, _token_fields(symbols, grouping, packed)] if symbols.varied else [tables]


def _token_fields(symbols: Symbols, grouping: Grouping, packed: Tensor) -> Fields:
    """Join each token's codes to one field."""
    groups = grouping.grid.of_tokens(grouping.groups, symbols.pixels) if grouping.count > 1 else None
    values = torch.zeros_like(next(iter(symbols.varied.values())))
    lengths = torch.zeros_like(values)
    for alphabet, codes in symbols.varied.items():
        size = symbols.sizes[alphabet]
        table = torch.nn.functional.pad(packed[:, alphabet, :size], (0, 1))
        found = table.flatten()[codes if groups is None else groups * (size + 1) + codes]
        values |= (found & 0xFFFF) << lengths
        lengths += found >> 16
        if alphabet in symbols.extras:
            extra, bits = symbols.extras[alphabet]
            values |= extra << lengths
            lengths += bits
    return Fields(values, lengths)
