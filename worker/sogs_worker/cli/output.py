"""What commands say of what they did: a line for people or a JSON object for programs, and one sentence of a fault."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sogs_worker.encode.dropped import Dropped
from sogs_worker.errors import WorkerError
from sogs_worker.naming import META

# What loads torch is imported by who needs it.
if TYPE_CHECKING:
    from sogs_worker.cli.batch import Outcome
    from sogs_worker.scenes.compress import SceneReport

MEGABYTE = 1_000_000
INTERRUPTED = "interrupted, no half-written output is left"


Told = Callable[[str], str]
"""Calls things in a text by their names for people."""


def print_outcome(outcome: Outcome, device: str, told: Told = str, *, as_json: bool) -> None:
    """Say what became of a scene."""
    if isinstance(outcome.result, WorkerError):
        print_fault(outcome.result, told)
        return
    record = _build_record(outcome, outcome.result, device)
    record |= {name: told(record[name]) for name in ("input", "output")}
    print(json.dumps(record) if as_json else _format_record(record, outcome.result.dropped), flush=True)


def print_fault(fault: WorkerError, told: Told = str) -> None:
    """Say what went wrong, in one sentence."""
    print(f"sogs-worker: {told(str(fault))}", file=sys.stderr, flush=True)


def format_size(size_bytes: int) -> str:
    """Write a number of bytes for people."""
    return f"{size_bytes / MEGABYTE:.1f} MB" if size_bytes >= MEGABYTE else f"{size_bytes / 1e3:.1f} kB"


def name_for_people(target: str) -> str:
    """Shorten a target's path or address to its name, with its folder if every target is called so."""
    parts = target.rsplit("/", 2)
    return "/".join(parts[-2:]) if parts[-1] == META else parts[-1]


def _build_record(outcome: Outcome, report: SceneReport, device: str) -> dict[str, Any]:
    return {
        "input": outcome.scene.name,
        "output": str(outcome.target),
        "sourceBytes": report.source_bytes,
        "bytes": report.bytes,
        "ratio": round(report.ratio, 2),
        "splats": report.splats,
        "dropped": report.dropped.total,
        "seconds": round(outcome.seconds, 2),
        "device": device,
    }


def _format_record(record: dict[str, Any], dropped: Dropped) -> str:
    parts = [
        name_for_people(record["output"]),
        f"{format_size(record['sourceBytes'])} -> {format_size(record['bytes'])}",
        f"{record['ratio']:.1f}x",
        f"{record['splats']:,} splats",
        f"{record['seconds']:.1f} s",
    ]
    if dropped.total:
        parts.append(f"{dropped} dropped")
    return "  ".join(parts)
