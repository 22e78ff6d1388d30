"""What commands say of what they did: a line for people or a JSON object for programs, and one sentence of a fault."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from sogs_worker.errors import WorkerError
from sogs_worker.reporting.options import in_options

LOGGER = logging.getLogger(__name__)
MEGABYTE = 1_000_000
INTERRUPTED = "interrupted, no half-written output is left"


def print_record(
    record: Mapping[str, Any], name: str, dropped: str, *, as_json: bool, stream: TextIO | None = None
) -> None:
    """Say what became of a scene.

    Args:
        record: as `Outcome.to_record` gives it.
        name: what people call its output.
        dropped: what its output lacks, for people.
        as_json: whether to say it to a program.
        stream: where to; None is standard output.
    """
    print(json.dumps(record) if as_json else format_record(record, name, dropped), file=stream, flush=True)


def print_fault(fault: WorkerError) -> None:
    """Say what went wrong, in one sentence."""
    print(f"sogs-worker: {in_options(fault)}", file=sys.stderr, flush=True)


def say_notes(name: str, notes: Iterable[str]) -> None:
    """Say what is odd about a scene, a sentence a note."""
    for note in notes:
        LOGGER.warning("%s: %s", name, note)


def format_size(size_bytes: int) -> str:
    """Write a number of bytes for people."""
    return f"{size_bytes / MEGABYTE:.1f} MB" if size_bytes >= MEGABYTE else f"{size_bytes / 1e3:.1f} kB"


def format_record(record: Mapping[str, Any], name: str, dropped: str) -> str:
    """Write a record for people."""
    parts = [
        name,
        f"{format_size(record['sourceBytes'])} -> {format_size(record['bytes'])}",
        f"{record['ratio']:.1f}x",
        f"{record['splats']:,} splats",
        f"{record['seconds']:.1f} s",
    ]
    if "psnr" in record:
        parts.append(f"{record['psnr']:.1f} dB")
    if record["dropped"]:
        parts.append(f"{dropped} dropped")
    return "  ".join(parts)
