"""A file that arrives in ranges: what is kept of an interrupted one, and when."""

from __future__ import annotations

from pathlib import Path

import pytest

from sogs_worker.storage.transfer.partial import RANGE_BYTES, Partial, split

SIZE = 2 * RANGE_BYTES + 5


def interrupt(path: Path, etag: str, *, after: int) -> list[range]:
    """Begin, note so many ranges as complete, and end as a killed process would; return what was missing."""
    partial = Partial(path, size_bytes=SIZE, etag=etag)
    with pytest.raises(KeyboardInterrupt), partial.opened() as missing:  # noqa: PT012
        for span in missing[:after]:
            partial.write(span.start, memoryview(b"x" * len(span)))
            partial.note(span)
        raise KeyboardInterrupt
    return missing


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


def test_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "scene"
    interrupt(path, "v1", after=2)
    assert not path.exists()
    assert interrupt(path, "v1", after=0) == split(SIZE)[2:]


def test_begins_anew_with_another_version(tmp_path: Path) -> None:
    interrupt(tmp_path / "scene", "v1", after=2)
    assert interrupt(tmp_path / "scene", "v2", after=0) == split(SIZE)


def test_does_not_trust_a_note_that_was_cut_off(tmp_path: Path) -> None:
    interrupt(tmp_path / "scene", "v1", after=2)
    notes = tmp_path / "scene.ranges"
    notes.write_bytes(notes.read_bytes()[:-1])
    assert interrupt(tmp_path / "scene", "v1", after=0) == split(SIZE)[1:]


def test_does_not_trust_notes_without_their_file(tmp_path: Path) -> None:
    interrupt(tmp_path / "scene", "v1", after=2)
    (tmp_path / "scene.partial").unlink()
    assert interrupt(tmp_path / "scene", "v1", after=0) == split(SIZE)


def test_leaves_nothing_beside_a_complete_file(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "scene", size_bytes=3, etag="v1")
    with partial.opened():
        partial.write(0, memoryview(b"abc"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["scene"]
    assert (tmp_path / "scene").read_bytes() == b"abc"
