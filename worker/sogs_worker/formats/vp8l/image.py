"""Images of the bitstream: transforms, prefix codes, and the codes of the pixels.

Source: RFC 9649, sections 3.4 to 3.8.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.vp8l.bits import Fields, fields_of, join
from sogs_worker.formats.vp8l.blocks import Grouping, code_costs, group_blocks, histograms, one_group
from sogs_worker.formats.vp8l.code_tables import table_fields
from sogs_worker.formats.vp8l.prefix_codes import canonical_codes, code_lengths
from sogs_worker.formats.vp8l.repeats import Repeats, find_repeats
from sogs_worker.formats.vp8l.symbols import DISTANCES, LENGTHS, LITERALS, Extra, Symbols, literal_symbols
from sogs_worker.formats.vp8l.tokens import Prices, choose_tokens
from sogs_worker.formats.vp8l.transforms import GREEN


def main_image(plane: Tensor, *, block_bits: int, cache_bits: int) -> Fields:
    """Write the pixels of a transformed plane, (4, H, W) uint8, with prefix codes for groups of blocks."""
    height, width = plane.shape[1:]
    repeats = find_repeats(plane, cache_bits)
    symbols = choose_tokens(plane, repeats, Prices(_first_prices(plane, repeats), None))
    grouping = group_blocks(symbols, height, width, block_bits)
    symbols = choose_tokens(
        plane, repeats, Prices([code_costs(part).int() for part in grouping.counts], grouping.pixels(height, width))
    )
    grouping = group_blocks(symbols, height, width, block_bits)
    device = symbols.device
    head = [fields_of(_cache_pairs(symbols.cache_bits), device)]
    if grouping.tokens is None:
        head.append(fields_of([(0, 1)], device))
    else:
        head += [fields_of([(1, 1), (grouping.bits - 2, 3)], device), number_image(grouping.groups)]
    return join([*head, *_coded(symbols, grouping)])


def _first_prices(plane: Tensor, repeats: Repeats) -> list[Tensor]:
    """Estimate code lengths as if all pixels were written in all ways."""
    whole = torch.zeros((), dtype=torch.int64, device=plane.device)
    green, *others = (histograms(channel, whole, 1, LITERALS) for channel in plane.flatten(1).long())
    parts = [green, green.sum().div(32, rounding_mode="floor").expand(1, LENGTHS)]
    if repeats.slots is not None:
        slots = torch.where(repeats.slots < 0, 1 << repeats.cache_bits, repeats.slots)
        parts.append(histograms(slots, whole, 1, 1 << repeats.cache_bits))
    distances = histograms(torch.where(repeats.distances > 0, repeats.codes, DISTANCES), whole, 1, DISTANCES)
    return [code_costs(part).int() for part in (torch.cat(parts, dim=1), *others, distances)]


def number_image(numbers: Tensor) -> Fields:
    """Write a small image of the bitstream's own, (H, W) int64 below 256 in green."""
    plane = torch.zeros(4, *numbers.shape, dtype=torch.uint8, device=numbers.device)
    plane[GREEN] = numbers
    symbols = literal_symbols(plane)
    return join([fields_of(_cache_pairs(0), symbols.device), *_coded(symbols, one_group(symbols))])


def _cache_pairs(bits: int) -> list[tuple[int, int]]:
    return [(1, 1), (bits, 4)] if bits else [(0, 1)]


def _coded(symbols: Symbols, grouping: Grouping) -> list[Fields]:
    """Return the prefix codes of all groups and the tokens."""
    sizes = symbols.sizes
    width = max(sizes)
    count = len(grouping.counts[0])
    counts = [*grouping.counts, *[torch.zeros_like(grouping.counts[-1])] * (len(sizes) - len(grouping.counts))]
    padded = torch.stack([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in counts], dim=1)
    lengths = code_lengths(padded.flatten(0, 1))
    rows = torch.tensor(sizes, device=lengths.device).repeat(count)
    tables = table_fields(lengths, rows)
    bits = torch.where((lengths > 0).sum(dim=1, keepdim=True) > 1, lengths, 0)
    codes = canonical_codes(lengths) & ((1 << bits) - 1)
    packed = (codes | (bits << 16)).reshape(count, len(sizes), width)
    return [tables, _token_fields(symbols, grouping.tokens, packed)]


def _token_fields(symbols: Symbols, groups: Tensor | None, packed: Tensor) -> Fields:
    """Join each token's codes to one field."""
    values = torch.zeros_like(symbols.codes[0])
    lengths = torch.zeros_like(values)
    for alphabet, (codes, size) in enumerate(symbols.alphabets()):
        table = torch.nn.functional.pad(packed[:, alphabet, :size], (0, 1))
        found = table.flatten()[codes if groups is None else groups * (size + 1) + codes]
        values |= (found & 0xFFFF) << lengths
        lengths += found >> 16
        _append(values, lengths, {0: symbols.length_extra, 4: symbols.distance_extra}.get(alphabet))
    return Fields(values, lengths)


def _append(values: Tensor, lengths: Tensor, extra: Extra | None) -> None:
    if extra is not None:
        values |= extra[0] << lengths
        lengths += extra[1]
