"""What each choice of the encoder costs in bytes and buys in dB: the table of docs/encoder.md."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.encoders import Encoder
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge, judge_bundle
from benchmarks.run import encode
from benchmarks.scenes import Scene
from benchmarks.table import format_table

EXTENSION = ".webp"
LIMIT_S = 3600.0
OPTIONS = {
    "balanced": (),
    "fast": ("--quality", "fast"),
    "best": ("--quality", "best"),
    "balanced, 2 SH bands": ("--sh-bands", "2"),
    "balanced, 1 SH band": ("--sh-bands", "1"),
    "balanced, no SH": ("--sh-bands", "0"),
}
"""The variants by name: options of `sogs-worker compress`; the first is what the others are compared with."""


@dataclass(frozen=True)
class Variant:
    """One way to encode a scene.

    Attributes:
        name: what is different.
        plane_bytes: size of each of the bundle's images by its name without suffix.
        psnr_mean, psnr_worst: dB against the scene; None: not known.
    """

    name: str
    plane_bytes: Mapping[str, int]
    psnr_mean: float | None
    psnr_worst: float | None

    @property
    def bytes(self) -> int:
        """Return the size of all images."""
        return sum(self.plane_bytes.values())


def format_ablation(variants: Sequence[Variant]) -> str:
    """Write a table with a row a variant: bytes of each plane and of all, PSNR, and the change from the first."""
    planes = list(dict.fromkeys(plane for variant in variants for plane in variant.plane_bytes))
    header = ["variant", *planes, "all", "± %", "dB mean", "dB worst", "± dB"]
    return format_table(header, [_cells(variant, variants[0], planes) for variant in variants])


def _cells(variant: Variant, first: Variant, planes: Sequence[str]) -> list[str]:
    sizes = [f"{variant.plane_bytes[plane]:,}" if plane in variant.plane_bytes else "" for plane in planes]
    gain = None if variant.psnr_mean is None or first.psnr_mean is None else variant.psnr_mean - first.psnr_mean
    is_first = variant is first
    return [
        variant.name,
        *sizes,
        f"{variant.bytes:,}",
        "" if is_first else f"{100 * (variant.bytes / first.bytes - 1):+.2f}",
        "" if variant.psnr_mean is None else f"{variant.psnr_mean:.2f}",
        "" if variant.psnr_worst is None else f"{variant.psnr_worst:.2f}",
        "" if is_first or gain is None else f"{gain:+.2f}",
    ]


def measure_variants(worker: Sequence[str], judge: Judge, scene: Scene, folder: Path) -> Iterator[Variant]:
    """Encode a scene in each of the ways of OPTIONS, below an empty folder, and judge the bundles.

    Raises:
        BenchmarkError: one fails.
    """
    for name, options in OPTIONS.items():
        command = (*worker, "compress", "{scene}", "{out}/scene.sog", *options)
        row, bundle = encode(Encoder(name, "ours", "", command, "scene.sog"), scene, folder, limit_s=LIMIT_S)
        if not bundle:
            raise BenchmarkError(f"{name}: {row.note or 'took over an hour'}")
        verdict = judge_bundle(judge, scene, bundle, folder / "decoded.ply")
        if verdict.note:
            raise BenchmarkError(f"{name}: {verdict.note}")
        yield Variant(name, read_plane_bytes(bundle), verdict.psnr_mean, verdict.psnr_worst)


def read_plane_bytes(bundle: Path) -> dict[str, int]:
    """Return the size of each image in a bundle, as stored."""
    with zipfile.ZipFile(bundle) as archive:
        images = [each for each in archive.infolist() if each.filename.endswith(EXTENSION)]
    return {each.filename.removesuffix(EXTENSION): each.compress_size for each in images}
