"""Entries of a palette are put where their planes are small, and none is lost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import on_every_device
from sogs_worker.formats.sog import entry_order
from sogs_worker.formats.sog.entry_order import order_entries
from sogs_worker.formats.sog.planes import build_palette_plane
from sogs_worker.formats.sog.vp8l import encode_vp8l


def mixed(count: int, seed: int = 0) -> torch.Tensor:
    """Draw entries of which some are flat, some vary much, and some are grey."""
    rng = np.random.default_rng(seed)
    widths = rng.choice([2, 20, 100], count)[:, None, None]
    values = 128 + widths * (rng.random((count, 15, 3)) - 0.5)
    values = np.where(rng.random((count, 1, 1)) < 0.3, values[..., :1], values)
    return torch.from_numpy(values.astype(np.uint8))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.sampled_from([3, 8, 15]), st.integers(0, 2**32 - 1))
def test_every_entry_has_one_place(count: int, coefficients: int, seed: int) -> None:
    entries = mixed(count, seed)[:, :coefficients]
    assert sorted(order_entries(entries).tolist()) == list(range(count))


@pytest.mark.parametrize("sample", [4096, 300])
def test_like_entries_lie_together_and_take_less(monkeypatch: pytest.MonkeyPatch, sample: int) -> None:
    monkeypatch.setattr(entry_order, "SAMPLE", sample)
    entries = mixed(4096)
    before, after = (len(encode_vp8l(build_palette_plane(each))) for each in (entries, entries[order_entries(entries)]))
    assert after < 0.9 * before


def test_equal_entries_stay_in_the_order_of_their_use() -> None:
    assert order_entries(torch.full((500, 8, 3), 7, dtype=torch.uint8)).tolist() == list(range(500))


@on_every_device
def test_the_order_is_the_same_on_all_devices(device: str) -> None:
    entries = mixed(3000)
    assert torch.equal(order_entries(entries), order_entries(entries.to(device)).cpu())
