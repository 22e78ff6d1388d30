"""Progress of a command on standard error: a bar for people, JSON lines (docs/job.md) for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

from sogs_worker.joblog import SHARES, STARTS, ProgressLog

Progress = Callable[[str, float], None]


@contextmanager
def showing_progress(name: str, *, as_json: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield a function `(stage, fraction)` that shows the progress of one scene.

    Args:
        name: what is worked on, shown before the bar.
        as_json: write JSON lines to a terminal too.
        stream: where to; None is standard error, so that standard output has results only.
    """
    stream = stream or sys.stderr
    if as_json or not stream.isatty():
        yield ProgressLog(write=lambda record: _write_line(stream, record)).report
        return
    from tqdm import tqdm

    with tqdm(total=100, desc=name, file=stream, leave=False, bar_format="{desc}  {bar}  {n:.0f} %  {postfix}") as bar:

        def show(stage: str, fraction: float) -> None:
            bar.set_postfix_str(stage, refresh=False)
            bar.update(STARTS[stage] + SHARES[stage] * fraction - bar.n)

        yield show


def _write_line(stream: TextIO, record: dict[str, Any]) -> None:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stream.write(json.dumps({"time": stamp, **record}) + "\n")
    stream.flush()
