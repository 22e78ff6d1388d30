"""Percentiles, the table of sizes, the file of results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.operator.figures import deciles, format_sizes, keep, megabytes, percentile, read, spread
from benchmarks.operator.plots import plot


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        (list(range(1, 301)), 50, 150),
        (list(range(1, 301)), 99, 297),
        (list(range(1, 101)), 100, 100),
        (list(range(1, 101)), 0, 1),
    ],
    ids=["one", "unsorted", "the middle", "three above", "the most", "the least"],
)
def test_the_percentile_is_one_of_the_values(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def test_of_nothing_there_is_none() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_megabytes_are_millions() -> None:
    assert megabytes(123_456_789) == 123.5


def test_the_spread_is_that_of_the_time_of_one_resource() -> None:
    rows = [{"n": 1000, "seconds": 50.0}, {"n": 3000, "seconds": 180.0}, {"n": 10_000, "seconds": 510.0}]
    assert spread(rows) == 1.2


def test_the_table_has_a_row_a_size_and_leaves_out_what_was_not_measured() -> None:
    rows = [{"n": 1000, "seconds": 50.0, "writes_per_resource": 8.25}, {"n": 10_000, "seconds": 1510.5}]
    header, rule, small, large = format_sizes(rows).splitlines()
    assert [cell.strip() for cell in header.split("|")[1:5]] == ["resources", "seconds", "per 1,000", "writes each"]
    assert set(rule) == set("|-: ")
    assert [cell.strip() for cell in small.split("|")[1:5]] == ["1,000", "50.00", "", "8.25"]
    assert [cell.strip() for cell in large.split("|")[1:5]] == ["10,000", "1,510.50", "", ""]


def test_each_run_is_a_line_more(tmp_path: Path) -> None:
    file = tmp_path / "out" / "operator.jsonl"
    keep(file, {"n": 20})
    keep(file, {"n": 30})
    assert [json.loads(line) for line in file.read_text().splitlines()] == [{"n": 20}, {"n": 30}]


def test_deciles_are_ten_of_the_values() -> None:
    assert deciles(list(range(1, 101))) == list(range(10, 101, 10))
    assert deciles([0.12345]) == [0.123] * 10


def test_the_plot_shows_bursts_and_waits_of_all_runs(tmp_path: Path) -> None:
    burst = {"n": 20, "succeeded_s": deciles([1.0, 2.0])}
    whole = {**burst, "n": 30, "apply_to_job_ms": deciles([5.0]), "steady_per_s": 10.0}
    file = tmp_path / "operator.jsonl"
    for row in (burst, whole, {"n": 20, "running": 20}):
        keep(file, row)
    plot(read(file), tmp_path / "pictures" / "operator.svg")
    drawn = (tmp_path / "pictures" / "operator.svg").read_text()
    assert drawn.count('id="legend_') == 2
    again = tmp_path / "again.svg"
    plot(read(file), again)
    assert again.read_text() == drawn
