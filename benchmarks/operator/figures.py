"""The figures of a run, and the file and the table that keep them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import format_table

Figures = dict[str, Any]
"""What one command measured, by name; the names have their units. What was not measured is absent."""

TABLE = {
    "n": "resources",
    "seconds": "seconds",
    "seconds_per_1000": "per 1,000",
    "writes_per_resource": "writes each",
    "lists_per_resource": "lists each",
    "operator_rss_mb": "rest MB",
    "operator_peak_rss_mb": "peak MB",
}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of the values that at least so many percent of them do not exceed (nearest rank).

    Raises:
        ValueError: there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def deciles(values: Sequence[float]) -> list[float]:
    """Return the values that a tenth, two tenths and so on to all of them do not exceed. Raises as `percentile`."""
    return [round(percentile(values, percent), 3) for percent in range(10, 101, 10)]


def megabytes(size_bytes: int) -> float:
    """Convert to millions of bytes, a digit after the point."""
    return round(size_bytes / 1e6, 1)


def read(path: Path) -> list[Figures]:
    """Read a file of results."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Add a line to a file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"{json.dumps(figures)}\n")


def spread(rows: Sequence[Figures]) -> float:
    """Return how much longer a resource takes in the slowest of several sizes than in the fastest: 1 is the same."""
    each = [float(row["seconds"]) / int(row["n"]) for row in rows]
    return round(max(each) / min(each), 2)


def format_sizes(rows: Sequence[Figures]) -> str:
    """Write the table of several sizes."""
    cells = [[_cell(row.get(name)) for name in TABLE] for row in rows]
    return format_table(list(TABLE.values()), cells)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
