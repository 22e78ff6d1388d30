"""Images of the bitstream: prefix codes and the codes of the pixels.

Source: RFC 9649, sections 3.6 to 3.8.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.bits import Fields, fields_of, join
from sogs_worker.formats.sog.vp8l.blocks import Grid, Grouping, group_counts, one_group
from sogs_worker.formats.sog.vp8l.code_tables import table_fields
from sogs_worker.formats.sog.vp8l.prefix_codes import canonical_codes, code_lengths
from sogs_worker.formats.sog.vp8l.selection import select_symbols
from sogs_worker.formats.sog.vp8l.symbols import Symbols, literal_symbols


def main_image(plane: Tensor, grid: Grid, *, repetitive: bool) -> Fields:
    """Write the pixels of a transformed plane, (4, H, W) uint8, with prefix codes for groups of blocks."""
    symbols, grouping = select_symbols(plane, grid, repetitive=repetitive)
    head = [fields_of([*_cache_pairs(symbols.cache_bits), (int(grouping.count > 1), 1)], plane.device)]
    if grouping.count > 1:
        head += [fields_of([(grid.bits - 2, 3)], plane.device), number_image(grouping.groups.reshape(grid.shape))]
    return join([*head, *_coded(symbols, grouping)])


def number_image(numbers: Tensor) -> Fields:
    """Write a small image of the bitstream's own, (H, W) int64 below 256 in green.

    On the CPU: it is so small that a GPU would take longer to be told what to do.
    """
    flat = numbers.flatten().cpu()
    low, high = int(flat.min()), int(flat.max())
    symbols = literal_symbols([flat if low < high else low, 0, 0, 255])
    fields = join([fields_of(_cache_pairs(0), flat.device), *_coded(symbols, one_group(flat.device))])
    return Fields(fields.values.to(numbers.device), fields.lengths.to(numbers.device))


def _cache_pairs(bits: int) -> list[tuple[int, int]]:
    return [(1, 1), (bits, 4)] if bits else [(0, 1)]


def _coded(symbols: Symbols, grouping: Grouping) -> list[Fields]:
    """Return the prefix codes of all groups and the tokens."""
    sizes = symbols.sizes
    lengths = code_lengths(group_counts(symbols, grouping).flatten(0, 1))
    rows = torch.tensor(sizes, device=lengths.device).repeat(grouping.count)
    bits = torch.where((lengths > 0).sum(dim=1, keepdim=True) > 1, lengths, 0)
    codes = canonical_codes(lengths) & ((1 << bits) - 1)
    packed = (codes | (bits << 16)).reshape(grouping.count, len(sizes), -1)
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
