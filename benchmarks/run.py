"""One run: every encoder on every scene, one after the other, each in a process of its own."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.encoders import REFERENCE, Encoder, bundle_bytes, fill
from benchmarks.nvml import Gpu, watching
from benchmarks.process import Usage, run_measured
from benchmarks.quality import Judge, judge_bundle
from benchmarks.results import Row
from benchmarks.scenes import Scene

OWN_LIMIT_S = 3600.0
LEAST_PEER_LIMIT_S = 60.0
PEER_PATIENCE = 10.0
READ_BYTES = 1 << 24


@dataclass(frozen=True)
class Bench:
    """What a run is made with.

    Attributes:
        encoders: ours first, since the peers' limit follows from our time.
        judge: None: quality is not looked at.
        work: a folder for bundles.
        peer_limit_s: None: `peer_limit_s` of our time.
        gpu: whose memory is watched.
    """

    encoders: Sequence[Encoder]
    judge: Judge | None
    work: Path
    peer_limit_s: float | None
    gpu: Gpu | None


def peer_limit_s(own_s: float | None) -> float:
    """Return how long a peer may take on a scene that ours took `own_s` for: ten times that, at least a minute."""
    return OWN_LIMIT_S if own_s is None else max(LEAST_PEER_LIMIT_S, PEER_PATIENCE * own_s)


def run_scene(bench: Bench, scene: Scene) -> Iterator[Row]:
    """Yield a row an encoder as each is done."""
    folder = bench.work / scene.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _read_once(scene.path)
    limit_s = bench.peer_limit_s or OWN_LIMIT_S
    cold: dict[str, Path] = {}
    for encoder in bench.encoders:
        is_ours = encoder.family.startswith("ours")
        row, bundle = encode(encoder, scene, folder, limit_s=OWN_LIMIT_S if is_ours else limit_s, gpu=bench.gpu)
        if encoder.name == REFERENCE and bench.peer_limit_s is None:
            limit_s = peer_limit_s(row.seconds)
        if bundle and encoder.is_warm:
            row = _compare_with_cold(row, bundle, cold.get(encoder.name.partition(",")[0]))
        elif bundle:
            cold[encoder.name] = bundle
            row = _judge(row, bench.judge, scene, bundle, folder / "decoded.ply") if bench.judge else row
        yield row


def encode(
    encoder: Encoder, scene: Scene, folder: Path, *, limit_s: float, gpu: Gpu | None = None
) -> tuple[Row, Path | None]:
    """Encode a scene below `folder`; return its row, not judged yet, and the bundle if there is one."""
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


def _read_once(path: Path) -> None:
    """Bring a file into the page cache, so that the first encoder does not pay for the disk."""
    with path.open("rb", buffering=0) as file:
        while file.read(READ_BYTES):
            pass
