"""Tables, and rows as lines of a log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from benchmarks.results import Row
from benchmarks.table import HEADER, format_row, format_rows, format_seconds, format_table

Builder = Callable[..., Row]


def test_text_is_to_the_left_and_numbers_to_the_right() -> None:
    assert format_table(["who", "bytes"], [["a", "1,000"], ["longer", "> 7"], ["b", ""]]).splitlines() == [
        "| who    | bytes |",
        "| ------ | ----: |",
        "| a      | 1,000 |",
        "| longer |   > 7 |",
        "| b      |       |",
    ]


def test_a_row_has_all_its_figures(build_row: Builder) -> None:
    row = build_row(
        seconds=2.345,
        bytes=31_000,
        psnr_mean=46.128,
        psnr_worst=41.0,
        peak_rss_bytes=1_234_500_000,
        peak_gpu_bytes=99_600_000,
    )
    header, _, line = format_rows([row]).splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")] == list(HEADER)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["ours balanced", "2.35", "31,000", "8.00", "46.13", "41.00", "1,234", "100"]
    assert format_row(row) == (
        "knot: ours balanced: 2.35 seconds, 31,000 bytes, 8.00 ratio, 46.13 dB mean, 41.00 dB worst, "
        "1,234 host MB, 100 GPU MB"
    )


def test_columns_that_nobody_has_are_left_out_and_notes_follow(build_row: Builder) -> None:
    rows = [build_row(seconds=1.0), build_row("sogs", note="not run: no GPU")]
    assert format_rows(rows).splitlines() == [
        "| encoder       | seconds |",
        "| ------------- | ------: |",
        "| ours balanced |    1.00 |",
        "| sogs          |         |",
        "",
        "- sogs: not run: no GPU",
    ]
    assert format_row(rows[1]) == "knot: sogs: not run: no GPU"


@pytest.mark.parametrize(
    ("seconds", "is_over", "text"),
    [
        (None, False, ""),
        (0.256, False, "0.26"),
        (12.34, False, "12.3"),
        (187.25, False, "187.2"),
        (60.01, True, "> 60"),
    ],
)
def test_seconds(seconds: float | None, is_over: bool, text: str) -> None:
    assert format_seconds(seconds, is_over=is_over) == text
