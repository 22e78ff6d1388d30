"""docs/bench.md and its plots, from the results of one or more runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.plots import plot_quality, plot_time
from benchmarks.results import Row, Run, by_scene
from benchmarks.table import format_rows

PICTURES = "pictures"
INTRODUCTION = """\
# Benchmark of the encoder

Written by `make bench`. All encoders get the same files, one after the other, in a process each. Seconds are wall time
from the start of the process to its end, with the scene in the page cache; `warm` is the second scene of one process,
as it reports it. `> 60` was ended after 60 s. Host memory is the highest resident memory of the process, GPU memory the
highest use of the device above that before the start. The dB are PSNR against pictures of the PLY, mean of the views
and worst view; {decoders}. Views are the scene's own cameras where it has them, else an orbit.
"""


def write_report(runs: Sequence[Run], folder: Path) -> Path:
    """Write bench.md and pictures/bench-*.svg below a folder; return the page's path.

    Runs on one machine become one section. Of rows with the same scene and encoder the last counts.
    """
    parts = [INTRODUCTION.format(decoders=_name_decoders([row for run in runs for row in run.rows]))]
    for number, machine in enumerate(dict.fromkeys(run.machine for run in runs), 1):
        group = [run for run in runs if run.machine == machine]
        rows = merge_rows(group)
        parts += [format_machine(group), *_draw(rows, folder, "" if number == 1 else f"-{number}")]
        parts += [f"### {format_scene(each[0])}\n\n{format_rows(each)}" for each in by_scene(rows).values()]
    page = folder / "bench.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(part.strip() for part in parts) + "\n")
    return page


def merge_rows(runs: Sequence[Run]) -> list[Row]:
    """Return all rows, scenes by size; where two have the same scene and encoder, the later one."""
    latest = {(row.scene, row.encoder): row for run in runs for row in run.rows}
    return sorted(latest.values(), key=lambda row: row.splats)


def format_machine(runs: Sequence[Run]) -> str:
    """Write the title of a machine's section, what was run on it, and whose versions."""
    commands = "\n".join(f"$ {run.command}" for run in runs)
    ran = [row for run in runs for row in run.rows if row.seconds is not None and "," not in row.family]
    versions = dict.fromkeys(f"{row.family} {row.version or 'of unknown version'}" for row in ran)
    return f"## {runs[0].machine}\n\n```console\n{commands}\n```\n\nVersions: {', '.join(versions) or 'nothing ran'}."


def _draw(rows: Sequence[Row], folder: Path, suffix: str) -> list[str]:
    """Draw both plots; return links to those that have something to show."""
    plots = {
        "quality": (plot_quality, "Size and quality of each encoder's bundles"),
        "time": (plot_time, "Seconds of each encoder against the number of splats"),
    }
    links = []
    for name, (draw, text) in plots.items():
        picture = Path(PICTURES) / f"bench-{name}{suffix}.svg"
        if draw(rows, folder / picture):
            links.append(f"![{text}]({picture})")
    return links


def format_scene(row: Row) -> str:
    """Write the title of a scene's table."""
    views = ", its own cameras" if row.cameras else ""
    return f"{row.scene}: {row.splats:,} splats, {row.source_bytes:,} bytes{views}"


def _name_decoders(rows: Sequence[Row]) -> str:
    names = list(dict.fromkeys(row.decoder for row in rows if row.decoder))
    return f"bundles were decoded by {' or '.join(names)}" if names else "no bundle was decoded"
