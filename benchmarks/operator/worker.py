"""What a worker would say: its progress in the log, its result in the termination message (docs/job.md)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

LINE_EVERY_S = 1.0


@asynccontextmanager
async def growing_log(file: Path) -> AsyncIterator[None]:
    """Write a line of progress every second while the block runs: a percent more, from 0 to 99 and again."""

    async def write() -> None:
        percent = 0
        with file.open("a", buffering=1) as log:
            while True:
                log.write(log_line(datetime.now(UTC).isoformat(), percent))
                percent = (percent + 1) % 100
                await asyncio.sleep(LINE_EVERY_S)

    task = asyncio.create_task(write())
    try:
        yield
    finally:
        task.cancel()


def log_line(now: str, percent: int) -> str:
    """Build a line of a container's log as the container runtime writes it, with the worker's progress in it.

    `now` is a time in RFC 3339.
    """
    progress = {"time": now, "stage": "encode", "percent": percent, "etaSeconds": 60, "scenesDone": 0, "scenesTotal": 1}
    return f"{now} stdout F {json.dumps(progress)}\n"


def termination_message(name: str) -> str:
    """Build the result of a worker that made one bundle (docs/job.md)."""
    output = {
        "name": name,
        "uri": f"s3://scenes/compressed/{name}.sog",
        "sha256": "5e" * 32,
        "bytes": 3_146_827,
        "sourceBytes": 49_601_531,
        "splats": 193_965,
        "ratio": 15.76,
    }
    return json.dumps(
        {
            "version": 1,
            "outputs": [output],
            "manifestUri": f"s3://scenes/compressed/{name}.manifest.json",
            "inputBytes": output["sourceBytes"],
            "outputBytes": output["bytes"],
            "splats": output["splats"],
            "seconds": 1.0,
            "gpuSeconds": 0.7,
            "scenes": 1,
            "cacheHits": 0,
            "engine": "native",
            "device": "fake",
        }
    )
