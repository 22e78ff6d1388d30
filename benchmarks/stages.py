"""What each attribute's quantisation and each choice of the encoder costs and buys, measured in this process.

torch, and what loads it, is imported where scenes are encoded and drawn: other commands do without.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.choices import LEVEL, build_choices
from benchmarks.scenes import Scene
from benchmarks.variants import Variant, read_plane_bytes
from sogs_worker.engines.device import resolve_device
from sogs_worker.engines.parameters import Parameters
from sogs_worker.splats import ARRAYS, Splats

if TYPE_CHECKING:
    from torch import Tensor

    from sogs_worker.encode.quantized import Coded, QuantizedSplats
    from sogs_worker.evaluate import View

PARTS = {
    "positions alone": ("positions",),
    "rotations alone": ("rotations",),
    "scales alone": ("scales",),
    "constant colours alone": ("sh0",),
    "opacities alone": ("opacities",),
    "palette alone": ("shn",),
    "geometry": ("positions", "rotations", "scales"),
    "all but the palette": ("positions", "rotations", "scales", "sh0", "opacities"),
    "all attributes": ARRAYS,
}
"""The variants in which only these attributes are quantised, all others being the scene's own."""


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


def measure_stages(scene: Scene, bundle: Path, names: Container[str]) -> Iterator[Variant]:
    """Measure those of PARTS and `build_choices` that are named, on a GPU if there is one, by way of the path `bundle`.

    Raises:
        WorkerError: the scene or its cameras cannot be used.
    """
    from sogs_worker.encode.clean import drop_unusable
    from sogs_worker.encode.quantized import dequantize
    from sogs_worker.evaluate import orbit_views, read_views
    from sogs_worker.formats import read_scene

    parts = {name: part for name, part in PARTS.items() if name in names}
    choices = {name: choice for name, choice in build_choices().items() if name in names}
    if not parts and not choices:
        return
    splats, _ = drop_unusable(read_scene(scene.path))
    views = read_views(scene.cameras) if scene.cameras else orbit_views(splats)
    device = resolve_device("auto")
    studio = Studio(views, list(draw(splats, views, device)), device)
    if parts:
        yield from _measure_parts(parts, studio, splats, bundle)
    for name, choice in choices.items():
        with choice:
            quantized = _encode_and_read(splats, bundle, device)
        yield studio.judge(name, read_plane_bytes(bundle), dequantize(quantized))


def _measure_parts(
    parts: Mapping[str, Sequence[str]], studio: Studio, splats: Splats, bundle: Path
) -> Iterator[Variant]:
    from sogs_worker.encode.quantized import dequantize

    quantized = _encode_and_read(splats, bundle, studio.device)
    exact, decoded = _arrange(splats, studio.device), dequantize(quantized)
    costs = _attribute_bytes(read_plane_bytes(bundle), _colour_bytes(quantized.sh0))
    for name, part in parts.items():
        mixed = replace(exact, **{each: getattr(decoded, each) for each in part})
        plane_bytes: Counter[str] = sum((costs[each] for each in part), Counter())
        if plane_bytes:  # a scene without SH has no palette
            yield studio.judge(name, plane_bytes, mixed)


def _encode_and_read(splats: Splats, bundle: Path, device: str) -> QuantizedSplats:
    from sogs_worker.engines import native
    from sogs_worker.formats.sog.file import read_quantized, write_sog

    write_sog(bundle, native.encode(splats, parameters=Parameters(quality=LEVEL), device=device))
    return read_quantized(bundle)


def _arrange(splats: Splats, device: str) -> Splats:
    """Return the scene as it is before its attributes are quantised: in the bundle's order, axes named as there."""
    from sogs_worker.encode.clean import clean
    from sogs_worker.encode.cloud import upload
    from sogs_worker.engines import attributes
    from sogs_worker.engines.quality import QUALITIES

    usable = clean(upload(splats, device)).cloud
    cloud, _ = attributes.arrange(usable, attributes.weigh(usable), QUALITIES[LEVEL])
    return replace(splats, **{each: getattr(cloud, each).cpu().numpy() for each in ARRAYS})


def _attribute_bytes(planes: Mapping[str, int], colour_bytes: int) -> dict[str, Counter[str]]:
    """Return the bytes of each attribute by plane. Opacities cost what sh0.webp would lose without them."""
    return {
        "positions": Counter(means_l=planes["means_l"], means_u=planes["means_u"]),
        "rotations": Counter(quats=planes["quats"]),
        "scales": Counter(scales=planes["scales"]),
        "sh0": Counter(sh0=colour_bytes),
        "opacities": Counter(sh0=planes["sh0"] - colour_bytes),
        "shn": Counter({name: size for name, size in planes.items() if name.startswith("shN")}),
    }


def _colour_bytes(sh0: Coded) -> int:
    """Return the size of the image that the constant coefficients would have to themselves."""
    import torch

    from sogs_worker.formats.sog.planes import build_plane
    from sogs_worker.formats.sog.vp8l import encode_vp8l

    return len(encode_vp8l(build_plane(torch.tensor(sh0.indices))))
