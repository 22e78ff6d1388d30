"""The page that a run ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.report import write_report
from benchmarks.results import Row

Builder = Callable[..., Row]
COMMAND = "python -m benchmarks run a.ply"


@pytest.fixture
def rows(build_row: Builder) -> list[Row]:
    rows = [
        build_row(seconds=2.0, bytes=25_000, psnr_mean=46.0, psnr_worst=44.0, decoder="splat-transform", cameras=True),
        build_row("ours balanced, warm", family="ours, warm", seconds=0.2, bytes=25_000),
        build_row("sogs", version="", seconds=60.0, is_over=True),
    ]
    return [replace(row, machine="EPYC, 2 cores", command=COMMAND) for row in rows]


def test_it_names_machine_command_versions_scene_and_decoder(tmp_path: Path, rows: list[Row]) -> None:
    page = write_report(rows, tmp_path / "docs")
    text = page.read_text()
    assert page == tmp_path / "docs" / "bench.md"
    assert "\n## EPYC, 2 cores\n" in text
    assert f"\n$ {COMMAND}\n" in text
    assert "\nVersions: ours 1.0, sogs of unknown version.\n" in text
    assert "\n### knot: 1,000 splats, 248,000 bytes, its own cameras\n" in text
    assert "bundles were decoded by splat-transform." in text
    assert "| sogs                |    > 60 |" in text


def test_its_pictures_are_there(tmp_path: Path, rows: list[Row]) -> None:
    text = write_report(rows, tmp_path).read_text()
    for name in ("bench-quality.svg", "bench-time.svg"):
        assert f"](pictures/{name})" in text
        assert (tmp_path / "pictures" / name).stat().st_size > 1000


def test_each_machine_has_a_section_and_plots_of_its_own(tmp_path: Path, rows: list[Row]) -> None:
    on = [("EPYC", "first", rows[:2]), ("H100", "second", rows), ("EPYC", "third", rows[2:])]
    kept = [replace(row, machine=machine, command=command) for machine, command, part in on for row in part]
    text = write_report(kept, tmp_path).read_text()
    assert text.index("## EPYC") < text.index("$ first\n$ third") < text.index("## H100") < text.index("$ second")
    assert "](pictures/bench-time.svg)" in text
    assert "](pictures/bench-time-2.svg)" in text


def test_a_run_in_which_nothing_worked_is_a_page_too(tmp_path: Path, build_row: Builder) -> None:
    text = write_report([build_row(note="failed: exit code 1")], tmp_path).read_text()
    assert "Versions: nothing ran." in text
    assert "no bundle was decoded" in text
    assert "pictures/" not in text


def test_it_says_which_rows_are_warm_and_what_a_limit_does(tmp_path: Path, rows: list[Row]) -> None:
    text = " ".join(write_report(rows, tmp_path).read_text().split())
    assert "from the start of the process to its end, loading of the program included" in text
    assert "Only in rows called `warm` they are those of the second scene of one process" in text
    assert "`> 600` was stopped after 600 s" in text
    assert "| ours balanced, warm |" in text


def test_the_later_of_two_rows_counts_and_scenes_are_by_size(tmp_path: Path, build_row: Builder) -> None:
    large = build_row("ours fast", scene="large", splats=9000, command="old", seconds=3.0)
    old, new = (build_row(command=command, seconds=s) for command, s in (("old", 2.0), ("new", 1.0)))
    text = write_report([large, old, new], tmp_path).read_text()
    assert text.index("### knot: ") < text.index("### large: ")
    assert text.index("$ old\n$ new") > 0
    assert "2.00" not in text
    assert "1.00" in text


def test_a_command_of_which_no_row_is_left_is_not_named(tmp_path: Path, build_row: Builder) -> None:
    text = write_report([build_row(command="old"), build_row(command="new")], tmp_path).read_text()
    assert "$ new" in text
    assert "$ old" not in text
