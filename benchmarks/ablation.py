"""What each stage and each choice of the encoder costs in bytes and buys in dB: the table of docs/encoder.md.

torch, and what loads it, is imported where scenes are encoded and drawn: the other commands do without.
"""

from __future__ import annotations

import math
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.encoders import Encoder
from benchmarks.errors import BenchmarkError
from benchmarks.quality import Judge, judge_bundle
from benchmarks.run import encode
from benchmarks.scenes import Scene
from benchmarks.table import format_table
from sogs_worker.engines.device import resolve_device
from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import WorkerError
from sogs_worker.splats import Splats

if TYPE_CHECKING:
    from torch import Tensor

    from sogs_worker.encode.quantized import QuantizedSplats
    from sogs_worker.evaluate import View

EXTENSION = ".webp"
LIMIT_S = 3600.0
LEVEL = "balanced"
OPTIONS = {
    LEVEL: (),
    "fast": ("--quality", "fast"),
    "best": ("--quality", "best"),
    "balanced, 2 SH bands": ("--sh-bands", "2"),
    "balanced, 1 SH band": ("--sh-bands", "1"),
    "balanced, no SH": ("--sh-bands", "0"),
}
"""The variants by name: options of `sogs-worker compress`; the first is what the others are compared with."""

ATTRIBUTES = tuple(field.name for field in fields(Splats))
PARTS = {
    "positions alone": ("positions",),
    "rotations alone": ("rotations",),
    "scales alone": ("scales",),
    "constant colours alone": ("sh0",),
    "opacities alone": ("opacities",),
    "palette alone": ("shn",),
    "geometry": ("positions", "rotations", "scales"),
    "all but the palette": ("positions", "rotations", "scales", "sh0", "opacities"),
    "all attributes": ATTRIBUTES,
}
"""The variants in which only these attributes are quantised, all others being the scene's own."""


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
    """Measure the options, then in this process the stages and choices, below an empty folder.

    Raises:
        BenchmarkError: one fails.
    """
    yield from measure_options(worker, judge, scene, folder)
    try:
        yield from measure_stages(scene, folder / "stage.sog")
    except WorkerError as error:
        raise BenchmarkError(str(error)) from error


def measure_options(worker: Sequence[str], judge: Judge, scene: Scene, folder: Path) -> Iterator[Variant]:
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


@dataclass(frozen=True)
class Studio:
    """The scene's own pictures, drawn once, and the views and the device that others are drawn from and on."""

    views: Sequence[View]
    pictures: Sequence[Tensor]
    device: str

    def judge(self, name: str, plane_bytes: Mapping[str, int], splats: Splats) -> Variant:
        """Draw what a variant has made of the scene, and compare."""
        from sogs_worker.evaluate import Comparison, ViewScore
        from sogs_worker.evaluate.metrics import psnr

        pairs = zip(self.views, self.pictures, draw(splats, self.views, self.device), strict=True)
        scores = [ViewScore(view.name, psnr(expected, got), ssim=math.nan) for view, expected, got in pairs]
        comparison = Comparison(tuple(scores))
        return Variant(name, plane_bytes, comparison.psnr, comparison.worst.psnr)


def draw(splats: Splats, views: Sequence[View], device: str) -> Iterator[Tensor]:
    """Upload a scene and draw each view, (H, W, 3) uint8."""
    from sogs_worker.render import load_scene, render

    uploaded = load_scene(splats, device)
    for view in views:
        yield render(uploaded, view.camera)


def measure_stages(scene: Scene, bundle: Path) -> Iterator[Variant]:
    """Measure PARTS and `build_choices` in this process, on a GPU if there is one, by way of the path `bundle`.

    Raises:
        WorkerError: the scene or its cameras cannot be used.
    """
    from sogs_worker.encode.clean import drop_unusable
    from sogs_worker.encode.quantized import dequantize
    from sogs_worker.evaluate import orbit_views, read_views
    from sogs_worker.formats import read_scene

    splats, _ = drop_unusable(read_scene(scene.path))
    views = read_views(scene.cameras) if scene.cameras else orbit_views(splats)
    device = resolve_device("auto")
    studio = Studio(views, list(draw(splats, views, device)), device)
    yield from _measure_parts(studio, splats, bundle)
    for name, choice in build_choices().items():
        with choice:
            quantized = _encode_and_read(splats, bundle, device)
        yield studio.judge(name, read_plane_bytes(bundle), dequantize(quantized))


def _measure_parts(studio: Studio, splats: Splats, bundle: Path) -> Iterator[Variant]:
    from sogs_worker.encode.quantized import dequantize

    quantized = _encode_and_read(splats, bundle, studio.device)
    exact, decoded = _arrange(splats, studio.device), dequantize(quantized)
    costs = _attribute_bytes(read_plane_bytes(bundle), quantized)
    for name, part in PARTS.items():
        mixed = {each: getattr(decoded if each in part else exact, each) for each in ATTRIBUTES}
        plane_bytes: Counter[str] = sum((costs[each] for each in part), Counter())
        if plane_bytes:  # a scene without SH has no palette
            yield studio.judge(name, plane_bytes, Splats(**mixed))


def _encode_and_read(splats: Splats, bundle: Path, device: str) -> QuantizedSplats:
    from sogs_worker import engines
    from sogs_worker.formats.sog import read_quantized, write_sog

    write_sog(bundle, engines.encode(splats, parameters=Parameters(quality=LEVEL), device=device))
    return read_quantized(bundle)


def _arrange(splats: Splats, device: str) -> Splats:
    """Return the scene as it is before its attributes are quantised: in the bundle's order, axes named as there."""
    from sogs_worker.encode.clean import clean
    from sogs_worker.encode.cloud import upload
    from sogs_worker.engines import native
    from sogs_worker.engines.quality import QUALITIES

    cloud, _ = native._arrange(clean(upload(splats, device)).cloud, QUALITIES[LEVEL])
    return Splats(**{each: getattr(cloud, each).cpu().numpy() for each in ATTRIBUTES})


def _attribute_bytes(planes: Mapping[str, int], quantized: QuantizedSplats) -> dict[str, Counter[str]]:
    """Return the bytes of each attribute by plane. Opacities cost what sh0.webp would lose without them."""
    from sogs_worker.formats.layout import USUAL_EFFORT
    from sogs_worker.formats.planes import build_plane
    from sogs_worker.formats.webp import encode_webp

    colours = len(encode_webp(build_plane(quantized.sh0.indices), USUAL_EFFORT))
    return {
        "positions": Counter(means_l=planes["means_l"], means_u=planes["means_u"]),
        "rotations": Counter(quats=planes["quats"]),
        "scales": Counter(scales=planes["scales"]),
        "sh0": Counter(sh0=colours),
        "opacities": Counter(sh0=planes["sh0"] - colours),
        "shn": Counter({name: size for name, size in planes.items() if name.startswith("shN")}),
    }


def build_choices() -> dict[str, AbstractContextManager[Any]]:
    """Return, by name, what makes one choice of the encoder another one within a `with` block.

    What hangs on the choice follows it as it would in the product: coarser colours where the palette's error grows.
    """
    import torch

    from sogs_worker.encode import clean, kmeans
    from sogs_worker.encode.palette import train_palette
    from sogs_worker.engines import native
    from sogs_worker.engines.quality import QUALITIES

    def level(**changes: Any) -> AbstractContextManager[Any]:
        return patch.dict(QUALITIES, {LEVEL: replace(QUALITIES[LEVEL], **changes)})

    def palette(**changes: Any) -> AbstractContextManager[Any]:
        return level(palette=replace(effort, **changes))

    def unweighted(shn: Tensor, weights: Tensor, **rest: Any) -> Any:
        return train_palette(shn, torch.ones_like(weights), **rest)

    def unordered(positions: Tensor, _classes: Tensor) -> Tensor:
        return torch.arange(len(positions), device=positions.device)

    quality = QUALITIES[LEVEL]
    effort = quality.palette
    return {
        "steps twice as wide": level(share=4 * quality.share, finest=2 * quality.finest, coarsest=2 * quality.coarsest),
        "steps half as wide": level(share=quality.share / 4, finest=quality.finest / 2, coarsest=quality.coarsest / 2),
        "positions 4 times as coarse": level(position=4 * quality.position),
        "positions with all 16 bits": level(position=0.0),
        "all splats alike": level(strength=0.0),
        "strength doubled": level(strength=2 * quality.strength),
        "palette not weighted": patch.object(native, "train_palette", unweighted),
        "palette with 2 iterations": palette(iterations=2),
        "centroids not relocated": patch.object(kmeans, "_relocate", lambda _1, _2, _3, centroids, _4: centroids),
        "palette step doubled": palette(step=2 * effort.step),
        "palette step halved": palette(step=effort.step / 2),
        "twice the palette": palette(splats_per_entry=effort.splats_per_entry / 2),
        "half the palette": palette(splats_per_entry=2 * effort.splats_per_entry),
        "entries not centred": patch.object(native, "centre_entries", lambda lattice, *_: lattice),
        "splats in the file's order": patch.object(native, "hilbert_order", unordered),
        "invisible splats kept": patch.object(clean, "INVISIBLE_LOGIT", -math.inf),
    }


def read_plane_bytes(bundle: Path) -> dict[str, int]:
    """Return the size of each image in a bundle, as stored."""
    with zipfile.ZipFile(bundle) as archive:
        images = [each for each in archive.infolist() if each.filename.endswith(EXTENSION)]
    return {each.filename.removesuffix(EXTENSION): each.compress_size for each in images}
