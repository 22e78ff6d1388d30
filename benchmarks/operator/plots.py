"""The plots of docs/scale.md: the bursts of a file of results, and how soon Jobs follow at a steady rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.operator.figures import Figures
from benchmarks.plots import STYLE, save

SHARES = range(0, 101, 10)


def plot(rows: Sequence[Figures], path: Path) -> None:
    """Draw an SVG: succeeded resources against seconds, a line a burst, and the share of Jobs against milliseconds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.8), layout="constrained")
        bursts, waits = figure.subplots(1, 2)
        _draw_bursts(bursts, [row for row in rows if "succeeded_s" in row])
        _draw_waits(waits, [row for row in rows if "apply_to_job_ms" in row])
        save(figure, path)


def _draw_bursts(axes: Axes, rows: Sequence[Figures]) -> None:
    for row in rows:
        counts = [row["n"] * share / 100 for share in SHARES]
        axes.plot([0, *row["succeeded_s"]], counts, label=f"{row['n']:,} at once")
    axes.set(xlabel="seconds since the first was applied", ylabel="resources that have succeeded")
    axes.legend(frameon=False)


def _draw_waits(axes: Axes, rows: Sequence[Figures]) -> None:
    for row in rows:
        label = f"{row['steady_per_s']:g} a second beside {row['n']:,} that have finished"
        axes.plot([0, *row["apply_to_job_ms"]], list(SHARES), label=label)
    axes.set(xlabel="milliseconds from apply to Job", ylabel="percent of the resources")
    axes.legend(frameon=False)
