"""What each option, stage and choice of the encoder costs in bytes and buys in dB: the table of docs/encoder.md."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from benchmarks.choices import LEVEL, build_choices
from benchmarks.encoders import Encoder
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge, judge_bundle
from benchmarks.run import encode
from benchmarks.scenes import Scene
from benchmarks.stages import PARTS, measure_stages
from benchmarks.variants import Variant, read_plane_bytes
from sogs_worker.errors import WorkerError

LIMIT_S = 3600.0
OPTIONS = {
    LEVEL: (),
    "fast": ("--quality", "fast"),
    "best": ("--quality", "best"),
    "balanced, 2 SH bands": ("--sh-bands", "2"),
    "balanced, 1 SH band": ("--sh-bands", "1"),
    "balanced, no SH": ("--sh-bands", "0"),
}
"""The variants by name: options of `sogs-worker compress`; the first is what the others are compared with."""


def measure_variants(
    worker: Sequence[str], judge: Judge, scene: Scene, folder: Path, *, only: Sequence[str] = ("",)
) -> Iterator[Variant]:
    """Measure the options, then in this process the stages and choices.

    Args:
        worker: our command.
        judge: of the options' bundles.
        scene: what is encoded.
        folder: an empty one.
        only: parts of names; the first variant and those with one of these in the name are measured.

    Raises:
        BenchmarkError: one fails, or none has such a name.
    """
    names = (*OPTIONS, *PARTS, *build_choices())
    wanted = [name for name in names if any(text in name for text in only)]
    if not wanted:
        raise BenchmarkError(f"--only {' '.join(only)}: no variant is called so; there are {'; '.join(names)}")
    yield from measure_options(worker, judge, scene, folder, names=(LEVEL, *wanted))
    try:
        yield from measure_stages(scene, folder / "stage.sog", wanted)
    except WorkerError as error:
        raise BenchmarkError(str(error)) from error


def measure_options(
    worker: Sequence[str], judge: Judge, scene: Scene, folder: Path, *, names: Container[str]
) -> Iterator[Variant]:
    """Encode a scene in those ways of OPTIONS that are named, below an empty folder, and judge the bundles.

    Raises:
        BenchmarkError: one fails.
    """
    for name, options in OPTIONS.items():
        if name not in names:
            continue
        command = (*worker, "compress", "{scene}", "{out}/scene.sog", *options)
        row, bundle = encode(Encoder(name, "ours", "", command, "scene.sog"), scene, folder, limit_s=LIMIT_S)
        if not bundle:
            raise BenchmarkError(f"{name}: {row.note or 'took over an hour'}")
        verdict = judge_bundle(judge, scene, bundle, folder / "decoded.ply")
        if verdict.note:
            raise BenchmarkError(f"{name}: {verdict.note}")
        yield Variant(name, read_plane_bytes(bundle), verdict.psnr_mean, verdict.psnr_worst)
