"""Fields of bits are laid one behind the other."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sogs_worker.formats.sog.vp8l.bits import Fields, pack


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**60 - 1), st.integers(0, 60)), min_size=1, max_size=80))
def test_fields_are_joined_from_the_lowest_bit_up(drawn: list[tuple[int, int]]) -> None:
    pairs = [(value & ((1 << length) - 1), length) for value, length in drawn]
    expected = size = 0
    for value, length in pairs:
        expected |= value << size
        size += length
    table = torch.tensor(pairs)
    assert pack(Fields(table[:, 0], table[:, 1])) == expected.to_bytes(-(-size // 8), "little")
