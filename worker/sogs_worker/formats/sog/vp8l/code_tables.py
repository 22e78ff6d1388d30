"""Prefix codes as they are written in front of the pixels: simple ones, or run lengths of code lengths.

Source: RFC 9649, section 3.7.2.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sogs_worker.formats.sog.vp8l.bits import Fields
from sogs_worker.formats.sog.vp8l.prefix_codes import canonical_codes, code_lengths

_ORDER = (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
"""Order in which the lengths of code-length codes are written."""

_KINDS = len(_ORDER)
_MAX_LENGTH = 7
_REPEAT, _ZEROS, _MANY_ZEROS = 16, 17, 18
_ABSENT = 19


def table_fields(lengths: Tensor, sizes: Tensor) -> Fields:
    """Write prefix codes.

    Args:
        lengths: (B, n) int64, of complete codes, of one symbol, or of none.
        sizes: (B,) int64, symbols that each alphabet has, at most n.

    Returns:
        Fields of the B codes in order; fields that a code lacks have no bits.
    """
    used = lengths > 0
    count = used.sum(dim=1)
    last = _last_used(used)
    simple = (count <= 2) & (last < 256)
    short, long = _simple_fields(used, count, last), _normal_fields(lengths, sizes)
    values = torch.cat([short[0], long[0]], dim=1)
    bits = torch.cat([short[1] * simple[:, None], long[1] * ~simple[:, None]], dim=1)
    present = bits > 0
    return Fields(values[present], bits[present])


def _last_used(used: Tensor) -> Tensor:
    """Return the last used symbol of each row, (B,), 0 where there is none."""
    return (used * torch.arange(used.shape[1], device=used.device)).amax(dim=1)


def _simple_fields(used: Tensor, count: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and lengths, (B, 5): one or two symbols below 256."""
    first = used.to(torch.uint8).argmax(dim=1)
    wide = first > 1
    two = count == 2
    one = torch.ones_like(first)
    values = torch.stack([one, two.long(), wide.long(), first, last], dim=1)
    return values, torch.stack([one, one, one, torch.where(wide, 8, 1), two * 8], dim=1)


def _normal_fields(lengths: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Return values and lengths of the fields of code lengths' codes, of the number of tokens, and of the tokens."""
    kinds, extras, extra_bits = _tokens(lengths, sizes)
    kinds, limit_values, limit_bits = _cut_zeros(kinds)
    histogram = torch.zeros(len(kinds), _ABSENT + 1, dtype=torch.int64, device=kinds.device)
    histogram.scatter_add_(1, kinds, torch.ones_like(kinds))
    histogram = histogram[:, :_KINDS]
    kind_lengths = code_lengths(histogram, _MAX_LENGTH)
    codes = canonical_codes(kind_lengths)
    bits = torch.where((histogram > 0).sum(dim=1, keepdim=True) > 1, kind_lengths, 0)
    code_bits = _with_absent(bits).gather(1, kinds)
    token_values = (_with_absent(codes & ((1 << bits) - 1)).gather(1, kinds)) | (extras << code_bits)
    token_bits = (code_bits + extra_bits) * (kinds != _ABSENT)
    head_values, head_bits = _kind_fields(kind_lengths)
    return (
        torch.cat([head_values, limit_values, token_values], dim=1),
        torch.cat([head_bits, limit_bits, token_bits], dim=1),
    )


def _with_absent(table: Tensor) -> Tensor:
    return torch.nn.functional.pad(table, (0, 1))


def _kind_fields(kind_lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return the fields of the code lengths' codes: "not simple", how many follow, and 3 bits each."""
    ordered = kind_lengths[:, list(_ORDER)]
    places = torch.arange(_KINDS, device=ordered.device)
    count = _last_used(ordered > 0).clamp_min(3) + 1
    zero = torch.zeros_like(count)
    values = torch.cat([torch.stack([zero, count - 4], dim=1), ordered], dim=1)
    bits = torch.cat([torch.stack([zero + 1, zero + 4], dim=1), (places < count[:, None]) * 3], dim=1)
    return values, bits


def _tokens(lengths: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return, at the symbol where each token begins, its kind (_ABSENT elsewhere), extra bits and their number.

    Runs of zeros are cut after 138. A run of another length is written once, and then repeated in sixes.
    """
    place, run = _runs(lengths, sizes)
    nothing = lengths == 0
    longest = torch.where(nothing, 138, 6)
    offset = torch.where(nothing, place, place - 1)
    within = offset % longest
    piece = torch.minimum(longest, run - (place - within))
    head = offset < 0
    repeats = (piece >= 3) & ~head
    kinds = torch.where(repeats, torch.where(nothing, torch.where(piece > 10, _MANY_ZEROS, _ZEROS), _REPEAT), lengths)
    kinds = torch.where((repeats & (within > 0)) | (run == 0), _ABSENT, kinds)
    extras = torch.where(repeats, torch.where(kinds == _MANY_ZEROS, piece - 11, piece - 3), 0)
    extra_bits = torch.tensor([0] * 16 + [2, 3, 7, 0], device=lengths.device)[kinds]
    return kinds, torch.where(extra_bits > 0, extras, 0), extra_bits


def _runs(lengths: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Return each symbol's place in its run of equal lengths and the run's length, 0 for what is in no alphabet."""
    symbols = torch.arange(lengths.shape[1], device=lengths.device).expand_as(lengths)
    inside = symbols < sizes[:, None]
    marked = torch.where(inside, lengths, -1)
    begins = torch.ones_like(inside)
    begins[:, 1:] = marked[:, 1:] != marked[:, :-1]
    start = torch.where(begins, symbols, 0).cummax(dim=1).values
    ends = torch.ones_like(inside)
    ends[:, :-1] = begins[:, 1:]
    stop = torch.where(ends, symbols + 1, lengths.shape[1] + 1).flip(1).cummin(dim=1).values.flip(1)
    return symbols - start, torch.where(inside, stop - start, 0)


def _cut_zeros(kinds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Leave out zeros at the end where saying so costs less; return the tokens and the fields of their number."""
    present = kinds != _ABSENT
    last = _last_used(present & (kinds != 0) & (kinds < _ZEROS))[:, None]
    behind = torch.arange(kinds.shape[1], device=kinds.device) > last
    count = (present & ~behind).sum(dim=1)
    pairs = _bit_length((count - 2).clamp_min(0)).add(1).div(2, rounding_mode="floor").clamp_min(1)
    saved = ((present & behind) * torch.where(kinds == _MANY_ZEROS, 10, torch.where(kinds == _ZEROS, 6, 3))).sum(dim=1)
    cut = (saved > 3 + 2 * pairs) & (count >= 2)
    values = torch.stack([cut.long(), pairs - 1, count - 2], dim=1)
    bits = torch.stack([torch.ones_like(count), cut * 3, cut * 2 * pairs], dim=1)
    return torch.where(behind & cut[:, None], _ABSENT, kinds), values, bits


def _bit_length(values: Tensor) -> Tensor:
    """Return the bits of (B,) int64 below 2^24, 0 for 0."""
    return torch.frexp(values.float()).exponent.long()
