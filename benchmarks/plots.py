"""The two plots: quality against size, and time against the number of splats. The same rows give the same file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from benchmarks.results import Row, by_scene
from benchmarks.scenes import format_count

STYLE: dict[Any, Any] = {
    # Fixed, so that elements' names do not change from run to run.
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    # A page may be light or dark: the paper is part of the picture.
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e0e0e0",
    "axes.axisbelow": True,
}
# Okabe and Ito's colours: told apart with any colour vision. Shapes say the same.
LOOKS = {
    "ours": ("#0072b2", "o"),
    "ours, warm": ("#56b4e9", "o"),
    "splat-transform": ("#d55e00", "s"),
    "sogs": ("#009e73", "D"),
}
OTHER = ("#595959", "^")
WARM = ", warm"
LEAST_TICK_RATIO = 1.4


def plot_quality(rows: Sequence[Row], path: Path) -> bool:
    """Draw size against PSNR, a panel a scene; False, and no file, where no row has both."""
    judged = [row for row in rows if row.bytes and row.psnr_mean is not None and not row.family.endswith(WARM)]
    scenes = by_scene(judged)
    if not scenes:
        return False
    columns = min(3, len(scenes))
    lines = math.ceil(len(scenes) / columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1 + 4.2 * columns, 0.4 + 3.4 * lines), layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False).flat
        for axes, group in zip(panels, scenes, strict=False):
            _draw_scene(axes, group)
        for axes in list(panels)[len(scenes) :]:
            axes.remove()
        save(figure, path)
    return True


def plot_time(rows: Sequence[Row], path: Path) -> bool:
    """Draw seconds against splats, a line an encoder, a triangle where the time is a lower bound."""
    timed = [row for row in rows if row.seconds is not None]
    if not timed:
        return False
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 4.4), layout="constrained")
        axes = figure.subplots()
        for name in dict.fromkeys(row.encoder for row in timed):
            _draw_times(axes, name, sorted((r for r in timed if r.encoder == name), key=lambda r: r.splats))
        axes.set(xscale="log", yscale="log", xlabel="splats", ylabel="seconds")
        axes.set_xticks(spread_out([row.splats for row in timed]), minor=False)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(round(value))))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        save(figure, path)
    return True


def spread_out(counts: Sequence[int]) -> list[int]:
    """Choose among counts those that leave room for their labels on a logarithmic axis, the smallest first."""
    chosen: list[int] = []
    for count in sorted(counts):
        if not chosen or count > LEAST_TICK_RATIO * chosen[-1]:
            chosen.append(count)
    return chosen


def _draw_scene(axes: Axes, rows: Sequence[Row]) -> None:
    for family in dict.fromkeys(row.family for row in rows):
        points = [row for row in rows if row.family == family]
        colour, marker = LOOKS.get(family, OTHER)
        sizes, psnrs = [(row.bytes or 0) / 1e6 for row in points], [row.psnr_mean or 0 for row in points]
        axes.plot(sizes, psnrs, color=colour, marker=marker, markersize=7)
        for row, size, psnr in zip(points, sizes, psnrs, strict=True):
            # To the left of a curve that rises to the right, and above a point that stands alone.
            offset, side = ((-6, 4), "right") if len(points) > 1 else ((0, 7), "center")
            label = row.encoder.removeprefix("ours ")
            axes.annotate(label, (size, psnr), offset, textcoords="offset points", ha=side, color=colour)
    axes.margins(0.25)
    axes.set(title=f"{rows[0].scene}: {format_count(rows[0].splats)} splats", xlabel="MB", ylabel="dB")


def _draw_times(axes: Axes, name: str, rows: Sequence[Row]) -> None:
    colour, marker = LOOKS.get(rows[0].family, OTHER)
    style = {"fast": ":", "best": "--"}.get(name.removesuffix(WARM).split()[-1], "-")
    done, over = [row for row in rows if not row.is_over], [row for row in rows if row.is_over]
    if done:
        points = [row.splats for row in done], [row.seconds or 0 for row in done]
        axes.plot(*points, style, color=colour, marker=marker, markersize=5, label=name)
    if over:
        bounds = [row.splats for row in over], [row.seconds or 0 for row in over]
        axes.plot(*bounds, "^", color=colour, markersize=10, label=f"{name}: ended there")


def save(figure: Figure, path: Path) -> None:
    """Write an SVG that depends on nothing but what is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
