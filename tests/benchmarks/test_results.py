"""The file that keeps the rows of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.results import Row, Run, append_row, by_scene, read_run, start_results

Builder = Callable[..., Row]


def test_what_is_kept_is_read_again(tmp_path: Path, build_row: Builder) -> None:
    path = tmp_path / "new" / "results.jsonl"
    rows = (build_row(seconds=1.5, psnr_mean=40.0), build_row("sogs", note="not run", is_over=True))
    for _ in range(2):
        start_results(path, machine="EPYC", command="python -m benchmarks run")
        for row in rows:
            append_row(path, row)
    assert read_run(path) == Run("EPYC", "python -m benchmarks run", rows)


@pytest.mark.parametrize("text", [None, "", "{}", '{"machine": "m", "command": "c"}\n{"scene": "a"}\n', "{"])
def test_what_is_no_file_of_results_is_one_sentence(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchmarkError, match=f"^{path}: "):
        read_run(path)


def test_rows_are_grouped_in_their_order(build_row: Builder) -> None:
    rows = [build_row("a", scene="x"), build_row("a", scene="y"), build_row("b", scene="x")]
    assert by_scene(rows) == {"x": [rows[0], rows[2]], "y": [rows[1]]}
