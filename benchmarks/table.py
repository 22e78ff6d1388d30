"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import Row

HEADER = ("encoder", "seconds", "bytes", "ratio", "dB mean", "dB worst", "host MB", "GPU MB")


def format_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table whose columns are aligned as text too: the first to the left, numbers to the right."""
    widths = [max(3, *(len(line[i]) for line in (header, *rows))) for i in range(len(header))]
    is_text = [not any(_is_number(row[i]) for row in rows) for i in range(len(header))]

    def write(cells: Sequence[str]) -> str:
        padded = (c.ljust(w) if text else c.rjust(w) for c, w, text in zip(cells, widths, is_text, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = ["-" * w if text else "-" * (w - 1) + ":" for w, text in zip(widths, is_text, strict=True)]
    return "\n".join([write(header), write(rule), *(write(row) for row in rows)])


def format_rows(rows: Sequence[Row]) -> str:
    """Write the table of one scene, without columns in which nobody has a figure; below it, why others are missing."""
    cells = [_cells(row) for row in rows]
    kept = [i for i in range(len(HEADER)) if any(line[i] for line in cells)]
    table = format_table([HEADER[i] for i in kept], [[line[i] for i in kept] for line in cells])
    notes = [f"- {row.encoder}: {row.note}" for row in rows if row.note]
    return "\n".join([table, *([""] if notes else []), *notes])


def format_row(row: Row) -> str:
    """Write a row as one line of a log."""
    name, *cells = _cells(row)
    fields = [f"{value} {unit}" for unit, value in zip(HEADER[1:], cells, strict=True) if value]
    return f"{row.scene}: {name}: {', '.join([*fields, *([row.note] if row.note else [])])}"


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.source_bytes / row.bytes if row.bytes else None
    return (
        row.encoder,
        format_seconds(row.seconds, is_over=row.is_over),
        f"{row.bytes:,}" if row.bytes else "",
        _format(ratio, 2),
        _format(row.psnr_mean, 2),
        _format(row.psnr_worst, 2),
        _format_megabytes(row.peak_rss_bytes),
        _format_megabytes(row.peak_gpu_bytes),
    )


def format_seconds(seconds: float | None, *, is_over: bool) -> str:
    """Write a time with two significant decimals; `> 60` is one that was not waited for."""
    if seconds is None:
        return ""
    return f"> {seconds:.0f}" if is_over else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def _format(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _format_megabytes(size_bytes: int | None) -> str:
    return "" if size_bytes is None else f"{size_bytes / 1e6:,.0f}"


def _is_number(cell: str) -> bool:
    return cell.lstrip("> +-").replace(",", "").replace(".", "", 1).isdigit()
