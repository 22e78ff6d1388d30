"""How well a run of many scenes overlaps transfers with encoding: the run beside either alone, in turns."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.pipeline_transfer import OUTPUTS, PREFIX, SOURCES, send
from benchmarks.process import Usage, run_measured
from benchmarks.relay import running_relay
from benchmarks.tile import write_tiled
from benchmarks.transfer_ways import MIB, open_our_store
from sogs_worker.errors import WorkerError

LIMIT_S = 3600
CLAIM = "benchmark"
ENCODER = {"engine": "native", "format": "sog", "quality": "balanced", "shBands": 3, "seed": 0}


@dataclass(frozen=True)
class Course:
    """What is measured.

    Attributes:
        bucket: where the run's source and destination are, below PREFIX.
        endpoint: URL of its server.
        device: `cpu` or `cuda`.
        work: folder of scratch; its `volumes` has the same scenes as the bucket, for the run without transfers.
    """

    bucket: str
    endpoint: str
    device: str
    work: Path

    @property
    def volume(self) -> Path:
        """The folder that stands for a volume."""
        return self.work / "volumes" / CLAIM

    @property
    def moved_bytes(self) -> int:
        """Bytes of the scenes and the bundles; these are there after a run without transfers."""
        bundles = (self.volume / OUTPUTS).glob("*.sog")
        return sum(path.stat().st_size for path in [*(self.volume / SOURCES).iterdir(), *bundles])


@dataclass
class Rounds:
    """Wall seconds of processes, round by round.

    Attributes:
        server: how fast it was.
        encode: the run with files in the place of the bucket.
        run: from bucket to bucket.
        transfer: the same objects, one after the other, without a run.
    """

    server: str
    encode: list[float] = field(default_factory=list)
    run: list[float] = field(default_factory=list)
    transfer: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The best run beside the larger of what it overlaps, at their best."""
        return min(self.run) / max(min(self.encode), min(self.transfer))


def write_scenes(course: Course, base: Path, *, scenes: int, splats: int) -> None:
    """Write scenes of one size that differ, from a scene of any size."""
    folder = course.volume / SOURCES
    folder.mkdir(parents=True)
    for number in range(scenes):
        write_tiled(base, folder / f"scene-{number:03}.ply", splats, seed=number)


def server_endpoint() -> str:
    """Return the server's URL.

    Raises:
        BenchmarkError: it is not of plain HTTP. With TLS, the certificate would not be the relay's.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if not endpoint.startswith("http://"):
        raise BenchmarkError(
            f"AWS_ENDPOINT_URL is {endpoint!r}; set it to a server at http://, which can be slowed down"
        )
    return endpoint


def measure_pipeline(course: Course, *, rounds: int, mebibytes_per_second: float | None) -> Iterator[Rounds]:
    """Measure with the server as it is, then limited; by default so that transfers take as long as encoding.

    Raises:
        BenchmarkError: the bucket cannot be used, or a process fails.
    """
    with uploaded_scenes(course):
        unlimited = Rounds("unlimited")
        for _ in range(rounds):
            measure_round(course, course.endpoint, unlimited)
        yield unlimited
        bytes_per_second = (mebibytes_per_second or 0) * MIB or course.moved_bytes / min(unlimited.encode)
        limited = Rounds(f"{bytes_per_second / MIB:.3g} MiB/s")
        with running_relay(course.endpoint, bytes_per_second) as relay:
            for _ in range(rounds):
                measure_round(course, relay, limited)
        yield limited


@contextmanager
def uploaded_scenes(course: Course) -> Iterator[None]:
    """Put the scenes into the bucket, and remove in the end all that the benchmark has written."""
    store = open_our_store(course.bucket, course.work / "store")
    try:
        for path in sorted((course.volume / SOURCES).iterdir()):
            send(store, path, f"{PREFIX}{SOURCES}{path.name}")
        try:
            yield
        finally:
            store.delete_many([entry.key for entry in store.list(PREFIX)])
    except WorkerError as error:
        raise BenchmarkError(f"the bucket {course.bucket!r} of AWS_ENDPOINT_URL cannot be used: {error}") from error


def measure_round(course: Course, endpoint: str, measured: Rounds) -> None:
    """Measure each once, in a process of its own."""
    measured.encode.append(run_worker(course, f"pvc://{CLAIM}/", {}).seconds)
    measured.run.append(run_worker(course, f"s3://{course.bucket}/{PREFIX}", build_connection(endpoint)).seconds)
    measured.transfer.append(run_transfer(course, endpoint))
    shown = ", ".join(f"{name} {getattr(measured, name)[-1]:.2f} s" for name in ("encode", "run", "transfer"))
    print(f"{measured.server}: {shown}", file=sys.stderr, flush=True)


def run_worker(
    course: Course, root: str, connection: Mapping[str, Any], more: Mapping[str, Any] | None = None
) -> Usage:
    """Run the worker from `in/` to `out/` below an address; `more` is put into its document."""
    run, result = course.work / "run.json", course.work / "result.json"
    result.unlink(missing_ok=True)
    run.write_text(json.dumps({**build_document(root, connection), **(more or {})}))
    environment = {
        "SPLATS_RUN": str(run),
        "SPLATS_SCRATCH": str(course.work / "scratch"),
        "SPLATS_TERMINATION_LOG": str(result),
        "SPLATS_VOLUMES": str(course.volume.parent),
        "SPLATS_DEVICE": course.device,
    }
    command = [sys.executable, "-m", "sogs_worker", "run"]
    usage = run_measured(command, limit_s=LIMIT_S, environment={**os.environ, **environment})
    if usage.failure:
        error = json.loads(result.read_text())["error"]["message"] if result.exists() else usage.failure
        raise BenchmarkError(f"sogs-worker run with {root}: {error}")
    return usage


def run_transfer(course: Course, endpoint: str) -> float:
    """Move what a run moves; return the seconds."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.pipeline_transfer", course.bucket, course.volume]
    usage = run_measured(command, limit_s=LIMIT_S, environment={**os.environ, "AWS_ENDPOINT_URL": endpoint})
    if usage.failure:
        raise BenchmarkError(f"the transfers alone: {usage.failure}")
    return usage.seconds


def build_document(root: str, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Build what tells the worker its task; see docs/job.md."""
    return {
        "version": 1,
        "name": "benchmark",
        "namespace": "default",
        "source": {"uri": f"{root}{SOURCES}", **connection},
        "destination": {"uri": f"{root}{OUTPUTS}", **connection},
        "encoder": ENCODER,
        "preview": False,
    }


def build_connection(endpoint: str) -> dict[str, Any]:
    """Build a side's way to the server; its keys are those of the SDK's environment."""
    region = os.environ.get("AWS_REGION", "us-east-1")
    return {"s3": {"endpoint": endpoint, "region": region, "addressingStyle": "path"}}


def format_rounds(measured: list[Rounds]) -> str:
    """Write the table: the best round of each, as the least disturbed."""
    lines = ["| server | encode alone, s | transfer alone, s | run, s | run / the larger |", "|---|---|---|---|---|"]
    for each in measured:
        seconds = " | ".join(f"{min(times):.2f}" for times in (each.encode, each.transfer, each.run))
        lines.append(f"| {each.server} | {seconds} | {each.ratio:.2f} |")
    return "\n".join(lines)
