"""The page that a run ends with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.report import merge_rows, write_report
from benchmarks.results import Row, Run

Builder = Callable[..., Row]
COMMAND = "python -m benchmarks run a.ply"


@pytest.fixture
def rows(build_row: Builder) -> tuple[Row, ...]:
    return (
        build_row(seconds=2.0, bytes=25_000, psnr_mean=46.0, psnr_worst=44.0, decoder="splat-transform", cameras=True),
        build_row("ours balanced, warm", family="ours, warm", seconds=0.2, bytes=25_000),
        build_row("sogs", version="", seconds=60.0, is_over=True),
    )


def test_it_names_machine_command_versions_scene_and_decoder(tmp_path: Path, rows: tuple[Row, ...]) -> None:
    page = write_report([Run("EPYC, 2 cores", COMMAND, rows)], tmp_path / "docs")
    text = page.read_text()
    assert page == tmp_path / "docs" / "bench.md"
    assert "\n## EPYC, 2 cores\n" in text
    assert f"\n$ {COMMAND}\n" in text
    assert "\nVersions: ours 1.0, sogs of unknown version.\n" in text
    assert "\n### knot: 1,000 splats, 248,000 bytes, its own cameras\n" in text
    assert "bundles were decoded by splat-transform." in text
    assert "| sogs                |    > 60 |" in text


def test_its_pictures_are_there(tmp_path: Path, rows: tuple[Row, ...]) -> None:
    text = write_report([Run("EPYC", COMMAND, rows)], tmp_path).read_text()
    for name in ("bench-quality.svg", "bench-time.svg"):
        assert f"](pictures/{name})" in text
        assert (tmp_path / "pictures" / name).stat().st_size > 1000


def test_each_machine_has_a_section_and_plots_of_its_own(tmp_path: Path, rows: tuple[Row, ...]) -> None:
    runs = [Run("EPYC", "first", rows[:2]), Run("H100", "second", rows), Run("EPYC", "third", rows[2:])]
    text = write_report(runs, tmp_path).read_text()
    assert text.index("## EPYC") < text.index("$ first\n$ third") < text.index("## H100") < text.index("$ second")
    assert "](pictures/bench-time.svg)" in text
    assert "](pictures/bench-time-2.svg)" in text


def test_a_run_in_which_nothing_worked_is_a_page_too(tmp_path: Path, build_row: Builder) -> None:
    text = write_report([Run("EPYC", COMMAND, (build_row(note="failed: exit code 1"),))], tmp_path).read_text()
    assert "Versions: nothing ran." in text
    assert "no bundle was decoded" in text
    assert "pictures/" not in text


def test_the_later_of_two_rows_counts_and_scenes_are_by_size(build_row: Builder) -> None:
    large, old, new = build_row(scene="l", splats=9000), build_row(seconds=2.0), build_row(seconds=1.0)
    assert merge_rows([Run("m", "a", (large, old)), Run("m", "b", (new,))]) == [new, large]
