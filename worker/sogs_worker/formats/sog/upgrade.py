"""SOG version 1 as version 2: what both hold alike is taken over byte by byte, and only the rest is quantised again.

Alike are positions, rotations, palette entries and labels. Version 1 has its own 256 values for each channel of scales
and colours where version 2 has one codebook for three channels, and keeps logits where version 2 keeps alphas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from sogs_worker.encode.intervals import cut_intervals
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.meta import Meta, PaletteMeta
from sogs_worker.formats.sog.planes import OPAQUE, PALETTE_ROW
from sogs_worker.formats.sog.version1 import Range, parse_meta_v1
from sogs_worker.formats.sog.vp8l import encode_vp8l
from sogs_worker.formats.sog.webp import Plane, decode_plane
from sogs_worker.splats import SH_COEFFICIENTS, Floats, Model

ALL_BYTES = np.arange(256, dtype=np.uint8)


def upgrade(scene: EncodedScene, *, device: str, model: Model = Model.DEFAULT) -> EncodedScene:
    """Convert a scene that this process has just encoded.

    Args:
        scene: of version 1.
        device: `cpu` or `cuda`, where the two images are made anew.
        model: of the scene, for which version 1 has no place.
    """
    meta = parse_meta_v1(scene.meta.to_document())
    images = dict(scene.images)
    planes = {name: decode_plane(images[f"{name}.webp"]) for name in ("scales", "sh0")}
    # What is seen of a scale is its exponential, so that a long axis counts for more.
    scales, planes["scales"] = _share_codebook(planes["scales"], meta.scales, meta.count, importance=_size)
    alphas = _alphas(meta.sh0)[planes["sh0"][..., 3]]
    sh0, colours = _share_codebook(planes["sh0"], meta.sh0, meta.count, importance=np.ones_like)
    planes["sh0"] = np.dstack([colours[..., :3], alphas])
    images |= {f"{name}.webp": encode_vp8l(torch.from_numpy(plane).to(device)) for name, plane in planes.items()}
    upgraded = Meta(
        count=meta.count,
        mins=meta.means[0],
        maxs=meta.means[1],
        scales=scales,
        sh0=sh0,
        palette=_describe_palette(meta.shn, images) if meta.shn else None,
        files=meta.files,
        model=model,
    )
    return EncodedScene(upgraded, images, scene.dropped)


def _share_codebook(
    plane: Plane, values: Range, count: int, *, importance: Callable[[Floats], NDArray[np.floating]]
) -> tuple[Floats, Plane]:
    """Return one codebook for a plane's first three channels, and the plane, opaque, with indices into that.

    Args:
        plane: (H, W, 4).
        values: what its bytes stand for.
        count: its first texels, which are splats.
        importance: of the error of a value.
    """
    texels = plane.reshape(-1, 4)[:count, :3]
    table = np.stack([_channel(values, channel) for channel in range(3)])
    uses = np.stack([np.bincount(texels[:, channel], minlength=256) for channel in range(3)])
    codebook, entries = cut_intervals(table.ravel(), (uses * importance(table)).ravel())
    entries = entries.reshape(3, 256)
    channels = [entries[channel][plane[..., channel]] for channel in range(3)]
    return codebook, np.dstack([*channels, np.full_like(channels[0], OPAQUE)])


def _size(logarithms: Floats) -> NDArray[np.float64]:
    """Return their exponentials, as shares of the greatest one."""
    return np.asarray(np.exp(logarithms.astype(float) - logarithms.max()))


def _channel(values: Range, channel: int) -> Floats:
    """Return what each byte of a channel stands for, (256,)."""
    return Range(values.low[[channel]], values.high[[channel]]).values(ALL_BYTES[:, None])[:, 0]


def _alphas(sh0: Range) -> NDArray[np.uint8]:
    """Return the alpha, 0 to 255, that each byte of the logits' channel stands for, (256,)."""
    with np.errstate(over="ignore"):
        alpha = 1 / (1 + np.exp(-_channel(sh0, 3).astype(float)))
    return np.asarray(np.round(255 * alpha), np.uint8)


def _describe_palette(values: Range, images: Mapping[str, bytes]) -> PaletteMeta:
    height, width, _ = decode_plane(images["shN_centroids.webp"]).shape
    return PaletteMeta(height * PALETTE_ROW, SH_COEFFICIENTS.index(width // PALETTE_ROW), _channel(values, 0))
