"""How fast one large object moves, and in how much memory: ours beside the SDK's ways and curl, in turns."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.process import run_measured

MIB = 1 << 20
LIMIT_S = 600
KEY = "benchmark-of-transfers"
OPTIONAL = {"CRT": "awscrt", "obstore": "obstore"}
"""Words in the names of ways, and the module without which those cannot be tried."""


@dataclass
class Row:
    """What one way took, round by round.

    Attributes:
        name: of the way.
        seconds: of the transfers that succeeded.
        cpu_s: their processor's seconds, which a busy machine changes less.
        peak_rss_bytes: the highest.
        failure: why the last one failed; empty: none did.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    peak_rss_bytes: int = 0
    failure: str = ""


def measure_transfers(work: Path, *, bucket: str, mebibytes: int, rounds: int) -> list[Row]:
    """Move an object of random bytes by each way, in turns, so that a machine's moods meet all of them.

    Raises:
        BenchmarkError: the object cannot be written.
    """
    work.mkdir(parents=True, exist_ok=True)
    source = work / "source"
    write_random(source, mebibytes)
    rows = [Row(name) for name in ways()]
    puts_first = sorted(rows, key=lambda row: not row.name.startswith("put"))
    for _ in range(rounds):
        for row in puts_first:
            measure(row, bucket, source if row.name.startswith("put") else work / "copy", mebibytes)
    if not rows[-1].seconds:
        raise BenchmarkError(f"the bucket {bucket!r} of AWS_ENDPOINT_URL takes no object: {rows[-1].failure}")
    for path in work.iterdir():
        path.unlink()
    return rows


def ways() -> list[str]:
    """Name the ways that can be tried here."""
    from benchmarks.transfer_ways import WAYS

    missing = [words for words, module in OPTIONAL.items() if importlib.util.find_spec(module) is None]
    return [name for name in WAYS if not any(words in name for words in missing)]


def measure(row: Row, bucket: str, path: Path, mebibytes: int) -> None:
    """Move once in a process of its own."""
    if path.name == "copy":
        path.unlink(missing_ok=True)
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.transfer_ways", row.name, bucket, KEY, path]
    usage = run_measured(command, limit_s=LIMIT_S)
    row.failure = usage.failure
    if not usage.failure and path.stat().st_size != mebibytes * MIB:
        row.failure = f"{path.stat().st_size} bytes instead of {mebibytes * MIB}"
    if not row.failure:
        seconds, cpu_s = map(float, usage.output.split())
        row.seconds.append(seconds)
        row.cpu_s.append(cpu_s)
        row.peak_rss_bytes = max(row.peak_rss_bytes, usage.peak_rss_bytes)


def write_random(path: Path, mebibytes: int) -> None:
    """Write bytes that nothing on the way can compress."""
    with path.open("wb") as stream:
        for _ in range(mebibytes):
            stream.write(os.urandom(MIB))


def format_rows(rows: list[Row], mebibytes: int) -> str:
    """Write the table: the best round of each way, as the least disturbed, beside the first way of its direction."""
    lines = ["| way | s | MiB/s | times the first | CPU s | peak MiB |", "|---|---|---|---|---|---|"]
    for row in rows:
        first = next(other for other in rows if other.name[:3] == row.name[:3])
        lines.append(f"| {row.name} | {_figures(row, first, mebibytes)} |")
    return "\n".join(lines)


def _figures(row: Row, first: Row, mebibytes: int) -> str:
    if not row.seconds:
        return f"failed: {row.failure} | | | |"
    seconds = min(row.seconds)
    speed = f"{min(first.seconds) / seconds:.2f}" if first.seconds else ""
    cpu_s, peak = min(row.cpu_s), row.peak_rss_bytes / MIB
    return f"{seconds:.2f} | {mebibytes / seconds:.0f} | {speed} | {cpu_s:.1f} | {peak:.0f}"
