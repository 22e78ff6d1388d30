"""docs/bench.md and its plots, from the results of one or more runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.plots import plot_quality, plot_time
from benchmarks.results import Row, by_scene, merge_rows
from benchmarks.table import format_rows

PICTURES = "pictures"
INTRODUCTION = """\
# Benchmark of the encoder

Written by `make bench`. All encoders get the same files, one after the other, in a process each; the scene is read once
before each, so that it is in the page cache. Seconds are wall time from the start of the process to its end, loading of
the program included. Only in rows called `warm` they are those of the second scene of one process, as it reports them:
the same file again. `> 600` was stopped after 600 s. Host memory is the highest resident memory of the process, GPU
memory the highest use of the device above that before the start. The dB are PSNR against pictures of the PLY, mean of
the views and worst view. Views are the scene's own cameras where it has them, else an orbit;
{decoders}.
"""


def write_report(rows: Sequence[Row], folder: Path) -> Path:
    """Write bench.md and pictures/bench-*.svg below a folder, a section for each machine; return the page's path.

    Of rows with the same machine, scene and encoder the last counts. Scenes are ordered by size.
    """
    parts = [INTRODUCTION.format(decoders=_name_decoders(rows))]
    for number, group in enumerate(_group_by_machine(merge_rows(rows)), 1):
        by_size = sorted(group, key=lambda row: row.splats)
        parts += [format_machine(group), *_draw(by_size, folder, "" if number == 1 else f"-{number}")]
        parts += [f"### {format_scene(each[0])}\n\n{format_rows(each)}" for each in by_scene(by_size)]
    page = folder / "bench.md"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(part.strip() for part in parts) + "\n")
    return page


def _group_by_machine(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for machine in dict.fromkeys(row.machine for row in rows):
        yield [row for row in rows if row.machine == machine]


def format_machine(rows: Sequence[Row]) -> str:
    """Write the title of a machine's section, what was run on it, and whose versions."""
    commands = "\n".join(f"$ {command}" for command in dict.fromkeys(row.command for row in rows))
    ran = [row for row in rows if row.seconds is not None and "," not in row.family]
    versions = dict.fromkeys(f"{row.family} {row.version or 'of unknown version'}" for row in ran)
    return f"## {rows[0].machine}\n\n```console\n{commands}\n```\n\nVersions: {', '.join(versions) or 'nothing ran'}."


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
