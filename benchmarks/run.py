"""One run: every encoder on every scene, one after the other, each in a process of its own."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.encoders import Encoder, bundle_bytes, fill
from benchmarks.nvml import Gpu, watching
from benchmarks.process import Usage, run_measured
from benchmarks.quality import Judge, judge_bundle
from benchmarks.results import Row
from benchmarks.scenes import Scene

OWN_LIMIT_S = 3600.0
READ_BYTES = 1 << 24


@dataclass(frozen=True)
class Bench:
    """What a run is made with.

    Attributes:
        encoders: each warm one after the cold one of its name.
        judge: None: quality is not looked at.
        work: a folder for bundles.
        peer_limit_s: seconds after which a peer is stopped.
        gpu: whose memory is watched.
    """

    encoders: Sequence[Encoder]
    judge: Judge | None
    work: Path
    peer_limit_s: float
    gpu: Gpu | None


def run_scene(bench: Bench, scene: Scene) -> Iterator[Row]:
    """Yield a row an encoder as each is done."""
    folder = bench.work / scene.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    cold: dict[str, Path] = {}
    for encoder in bench.encoders:
        limit_s = OWN_LIMIT_S if encoder.family.startswith("ours") else bench.peer_limit_s
        row, bundle = encode(encoder, scene, folder, limit_s=limit_s, gpu=bench.gpu)
        if bundle and encoder.is_warm:
            row = _compare_with_cold(row, bundle, cold.get(encoder.name.partition(",")[0]))
        elif bundle:
            cold[encoder.name] = bundle
            row = _judge(row, bench.judge, scene, bundle, folder / "decoded.ply") if bench.judge else row
        yield row


def encode(
    encoder: Encoder, scene: Scene, folder: Path, *, limit_s: float, gpu: Gpu | None = None
) -> tuple[Row, Path | None]:
    """Encode a scene below `folder`; return its row, not judged yet, and the bundle if there is one.

    The scene is read before the clock starts: decoding and judging of others may have driven it from the page cache.
    """
    row = Row(
        scene=scene.name,
        splats=scene.splats,
        source_bytes=scene.size_bytes,
        cameras=scene.cameras is not None,
        encoder=encoder.name,
        family=encoder.family,
        version=encoder.version,
    )
    if encoder.missing:
        return replace(row, note=f"not run: {encoder.missing}"), None
    out = folder / encoder.name.replace(" ", "-").replace(",", "")
    out.mkdir()
    again = folder / f"again-{scene.path.name}"
    again.unlink(missing_ok=True)
    again.symlink_to(scene.path.resolve())
    command, result = fill(encoder, scene=scene.path, again=again, out=out)
    read_once(scene.path)
    with watching(gpu.used_bytes if gpu else None) as peak:
        usage = run_measured(command, limit_s=limit_s)
    row = replace(row, peak_rss_bytes=usage.peak_rss_bytes, peak_gpu_bytes=peak.bytes)
    return _with_result(row, encoder, usage, result)


def _with_result(row: Row, encoder: Encoder, usage: Usage, result: Path) -> tuple[Row, Path | None]:
    if usage.timed_out:
        # A memory peak cut short says nothing.
        return replace(row, seconds=usage.seconds, is_over=True, peak_rss_bytes=None, peak_gpu_bytes=None), None
    if usage.failure or not result.exists():
        return replace(row, note=f"failed: {usage.failure or f'wrote no {result.name}'}"), None
    seconds = last_reported_seconds(usage.output) if encoder.is_warm else usage.seconds
    note = "" if seconds is not None else "the last line it printed is no record with seconds"
    return replace(row, seconds=seconds, bytes=bundle_bytes(result), note=note), result


def last_reported_seconds(output: str) -> float | None:
    """Read `seconds` of the last JSON record in an output."""
    try:
        return float(json.loads(output.splitlines()[-1])["seconds"])
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def _compare_with_cold(row: Row, bundle: Path, cold: Path | None) -> Row:
    """The same scene gives the same bytes, so that its quality needs no second look; say so where it does not."""
    if cold is None or filecmp.cmp(bundle, cold, shallow=False):
        return row
    return replace(row, note="its bundle differs from that of the first process")


def _judge(row: Row, judge: Judge, scene: Scene, bundle: Path, decoded: Path) -> Row:
    verdict = judge_bundle(judge, scene, bundle, decoded)
    return replace(
        row,
        psnr_mean=verdict.psnr_mean,
        psnr_worst=verdict.psnr_worst,
        decoder=verdict.decoder,
        note=verdict.note or row.note,
    )


def read_once(path: Path) -> None:
    """Bring a file into the page cache, so that no encoder pays for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(READ_BYTES):
            pass
