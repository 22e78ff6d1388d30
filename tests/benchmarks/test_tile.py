"""Scenes of any size from a small one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.scenes import open_scene
from benchmarks.tile import make_blocks, shuffled, write_tiled
from hypothesis import given
from hypothesis import strategies as st

NAMES = ["x", "y", "z", "opacity"]
Writer = Callable[..., Path]


@pytest.fixture
def base() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)


def gather(base: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(make_blocks(base, NAMES, count, seed=seed)))


def ordered(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**31))
def test_the_order_has_each_row_once(count: int, seed: int) -> None:
    assert sorted(shuffled(np.arange(count), count, seed=seed).tolist()) == list(range(count))


def test_the_order_of_ten_million_rows_does_not_overflow() -> None:
    last = shuffled(np.arange(10**7 - 1000, 10**7), 10**7, seed=3)
    assert last.min() >= 0
    assert last.max() < 10**7
    assert len(set(last.tolist())) == 1000


def test_as_many_as_there_are_is_the_scene_in_another_order(base: np.ndarray) -> None:
    rows = gather(base, len(base))
    np.testing.assert_array_equal(ordered(rows), ordered(base))
    assert (rows != base).any()


def test_fewer_are_some_of_them(base: np.ndarray) -> None:
    rows = gather(base, 50)
    known = {row.tobytes() for row in base}
    assert len(rows) == len({row.tobytes() for row in rows}) == 50
    assert all(row.tobytes() in known for row in rows)


def test_more_are_copies_side_by_side_that_all_differ(base: np.ndarray) -> None:
    rows = gather(base, 4 * len(base))
    assert len({row.tobytes() for row in rows}) == len(rows)
    known = {row.tobytes() for row in base}
    assert sum(row.tobytes() in known for row in rows) == len(base)
    low, high = np.percentile(base[:, 0], [5, 95])
    right = rows[:, 0] > base[:, 0].min() + 1.1 * (high - low)
    assert 0.4 < right.mean() < 0.6 + 0.1
    # The distributions of what is no position stay those of the scene.
    assert abs(rows[:, 3].std() / base[:, 3].std() - 1) < 0.05


def test_the_seed_decides_it(base: np.ndarray) -> None:
    np.testing.assert_array_equal(gather(base, 1200, seed=1), gather(base, 1200, seed=1))
    assert (gather(base, 1200, seed=1) != gather(base, 1200, seed=2)).any()


def test_blocks_do_not_repeat_noise(base: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.tile.BLOCK_ROWS", 300)
    blocks = list(make_blocks(base, NAMES, 1000, seed=0))
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    assert len({row.tobytes() for block in blocks for row in block}) == 1000


def test_a_scene_is_not_changed_by_it(base: np.ndarray) -> None:
    before = base.copy()
    gather(base, 1500)
    np.testing.assert_array_equal(base, before)


def test_the_file_is_a_scene_of_the_asked_size(base: np.ndarray, tmp_path: Path, write_columns: Writer) -> None:
    target = tmp_path / "large.ply"
    write_tiled(write_columns(tmp_path / "base.ply", base), target, 1234, seed=0)
    assert open_scene(target).splats == 1234
    np.testing.assert_array_equal(
        np.frombuffer(target.read_bytes()[-1234 * 16 :], "<f4").reshape(-1, 4), gather(base, 1234)
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.ply", "large.ply"]


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("format ascii 1.0\nelement vertex 1\nproperty float x", "only a binary little-endian PLY of float vertices"),
        ("format binary_little_endian 1.0\nelement vertex 1\nproperty double x", "only a binary little-endian PLY"),
        ("format binary_little_endian 1.0\nelement vertex 9\nproperty float x", "empty or truncated"),
        ("format binary_little_endian 1.0", "only a binary little-endian PLY of float vertices"),
    ],
    ids=["text", "double", "truncated", "no elements"],
)
def test_other_layouts_are_refused(header: str, fault: str, tmp_path: Path) -> None:
    path = tmp_path / "base.ply"
    path.write_bytes(f"ply\n{header}\nend_header\n".encode() + b"0123")
    with pytest.raises(BenchmarkError, match=f"{path}.*{fault}"):
        write_tiled(path, tmp_path / "large.ply", 10, seed=0)
