"""The table of an ablation: a row a variant, its bytes by plane, its quality, and how far it is from the first."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import format_table

EXTENSION = ".webp"


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


def read_plane_bytes(bundle: Path) -> dict[str, int]:
    """Return the size of each image in a bundle, as stored."""
    with zipfile.ZipFile(bundle) as archive:
        images = [each for each in archive.infolist() if each.filename.endswith(EXTENSION)]
    return {each.filename.removesuffix(EXTENSION): each.compress_size for each in images}


def format_variant(variant: Variant) -> str:
    """Write a variant as one line of a log."""
    return f"{variant.name}: {variant.bytes:,} bytes, {_format(variant.psnr_mean) or 'unknown'} dB mean"


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
        _format(variant.psnr_mean),
        _format(variant.psnr_worst),
        "" if is_first or gain is None else f"{gain:+.2f}",
    ]


def _format(psnr: float | None) -> str:
    return "" if psnr is None else f"{psnr:.2f}"
