"""The file that keeps the rows of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.results import Row, by_scene, keep_row, read_rows

Builder = Callable[..., Row]


def test_what_is_kept_is_read_again(tmp_path: Path, build_row: Builder) -> None:
    path = tmp_path / "new" / "results.jsonl"
    rows = [build_row(seconds=1.5, psnr_mean=40.0), build_row("sogs", note="not run", is_over=True)]
    for row in rows:
        keep_row(path, row)
    assert read_rows(path) == rows
    assert list(path.parent.iterdir()) == [path]


def test_several_commands_build_one_file(tmp_path: Path, build_row: Builder) -> None:
    path = tmp_path / "results.jsonl"
    first = [build_row(name, seconds=2.0, command="first") for name in ("ours fast", "ours best")]
    again = build_row("ours fast", seconds=1.0, command="second")
    others = [
        build_row("sogs", command="second"),
        build_row("ours fast", scene="garden", command="second"),
        build_row("ours fast", source_bytes=99, command="second"),
        build_row("ours fast", machine="H100", command="second"),
    ]
    for row in [*first, *others, again]:
        keep_row(path, row)
    assert read_rows(path) == [again, first[1], *others]


def test_a_file_that_is_not_of_results_is_left_as_it_is(tmp_path: Path, build_row: Builder) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"note": 1}\n')
    with pytest.raises(BenchmarkError, match="not a file of results of this version; move it away or name another"):
        keep_row(path, build_row())
    assert path.read_text() == '{"note": 1}\n'


@pytest.mark.parametrize("text", [None, "{}", '{"machine": "m", "command": "c"}\n', "[]", "{", "\xff"])
def test_what_is_no_file_of_results_is_one_sentence(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchmarkError, match=f"^{path}: "):
        read_rows(path)


def test_rows_are_grouped_by_scene_in_their_order(build_row: Builder) -> None:
    a, b, c, d = (
        build_row("a", scene="x"),
        build_row("a", scene="y"),
        build_row("b", scene="x"),
        build_row("b", scene="x", source_bytes=99),
    )
    assert by_scene([a, b, c, d]) == [[a, c], [b], [d]]
