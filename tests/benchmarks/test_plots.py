"""The plots: what they show, where there is nothing to show, and that they are the same each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks.plots import plot_quality, plot_time, spread_out
from benchmarks.results import Row

Builder = Callable[..., Row]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def rows(build_row: Builder) -> list[Row]:
    return [
        build_row("ours fast", seconds=1.0, bytes=20_000, psnr_mean=44.0),
        build_row("ours balanced", seconds=2.0, bytes=25_000, psnr_mean=46.0),
        build_row("ours balanced, warm", family="ours, warm", seconds=0.2, bytes=25_000),
        build_row("splat-transform", seconds=60.0, is_over=True),
        build_row("sogs", seconds=9.0, bytes=31_000, psnr_mean=43.0),
        build_row("sogs", scene="large", splats=5000, note="not run"),
    ]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep texts as texts, so that they can be read."""
    monkeypatch.setitem(__import__("benchmarks.plots").plots.STYLE, "svg.fonttype", "none")


def read_texts(path: Path) -> list[str]:
    return ["".join(each.itertext()) for each in ElementTree.parse(path).iter(f"{SVG}text")]  # noqa: S314  # our own


@pytest.mark.usefixtures("texts")
def test_quality_is_drawn_for_all_that_were_judged(tmp_path: Path, rows: list[Row]) -> None:
    assert plot_quality(rows, tmp_path / "pictures" / "quality.svg")
    shown = read_texts(tmp_path / "pictures" / "quality.svg")
    assert {"fast", "balanced", "sogs", "MB", "dB", "knot: 1k splats"} <= set(shown)
    assert "splat-transform" not in shown
    assert not any("large" in text for text in shown)


@pytest.mark.usefixtures("texts")
def test_time_is_drawn_for_all_that_were_timed_and_bounds_are_named(tmp_path: Path, rows: list[Row]) -> None:
    assert plot_time(rows, tmp_path / "time.svg")
    shown = read_texts(tmp_path / "time.svg")
    assert {"ours fast", "ours balanced, warm", "sogs", "splat-transform: ended there", "seconds", "1k"} <= set(shown)
    assert "splat-transform" not in shown
    assert "5k" not in shown


@pytest.mark.parametrize("draw", [plot_quality, plot_time])
def test_the_same_rows_give_the_same_file(
    draw: Callable[[list[Row], Path], bool], tmp_path: Path, rows: list[Row]
) -> None:
    for name in ("a", "b"):
        draw(rows, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("draw", [plot_quality, plot_time])
def test_nothing_to_show_is_no_file(
    draw: Callable[[list[Row], Path], bool], tmp_path: Path, build_row: Builder
) -> None:
    assert not draw([build_row(note="failed")], tmp_path / "none.svg")
    assert list(tmp_path.iterdir()) == []


def test_labels_keep_their_distance() -> None:
    assert spread_out([3_000_000, 100_000, 120_000, 100_000, 500_000]) == [100_000, 500_000, 3_000_000]
