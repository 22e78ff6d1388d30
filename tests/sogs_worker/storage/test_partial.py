"""A file that arrives in ranges: it is there when it is complete, and nothing is there otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from sogs_worker.storage.transfer.partial import RANGE_BYTES, Partial, split

SIZE = 2 * RANGE_BYTES + 5


@pytest.mark.parametrize(
    ("size_bytes", "lengths"),
    [(0, []), (1, [1]), (RANGE_BYTES, [RANGE_BYTES]), (SIZE, [RANGE_BYTES, RANGE_BYTES, 5])],
)
def test_ranges_cover_all(size_bytes: int, lengths: list[int]) -> None:
    spans = split(size_bytes)
    assert [len(span) for span in spans] == lengths
    assert [byte for span in spans for byte in (span.start, span.stop)] == sorted(
        byte for span in spans for byte in (span.start, span.stop)
    )


def test_leaves_nothing_beside_a_complete_file(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "scene", size_bytes=3)
    with partial.opened():
        partial.write(1, memoryview(b"bc"))
        partial.write(0, memoryview(b"a"))
        assert not (tmp_path / "scene").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["scene"]
    assert (tmp_path / "scene").read_bytes() == b"abc"


def test_leaves_nothing_of_an_incomplete_file(tmp_path: Path) -> None:
    (tmp_path / "scene").write_bytes(b"earlier")
    partial = Partial(tmp_path / "scene", size_bytes=3)
    with pytest.raises(KeyboardInterrupt), partial.opened():
        raise KeyboardInterrupt
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"earlier"]
