"""The square that the original lays splats out in: what it crops to fit, and scenes too small for it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.engines.sogs.packages import Original
from sogs_worker.errors import WorkerError
from sogs_worker.formats.layout import EncodedScene
from sogs_worker.formats.planes import build_plane, read_texels
from sogs_worker.formats.sog_v1 import DocumentV1
from sogs_worker.formats.vp8l import encode_vp8l
from sogs_worker.formats.webp import decode_webp
from sogs_worker.splats import Floats, Splats

SMALLEST = 256
"""PLAS sorts blocks of 16 x 16, and k-means makes 64 clusters or more, each of 4 splats."""

PALETTE = "shN_centroids.webp"


def count_cropped(count: int) -> int:
    """Return how many of so many splats the original leaves out, the least opaque ones."""
    return count - math.isqrt(count) ** 2


def fill_square(splats: Splats) -> Splats:
    """Repeat the splats of a small scene until the original can sort them; others stay as they are."""
    return splats if len(splats) >= SMALLEST else splats.take(np.arange(SMALLEST) % len(splats))


def require_all(original: Original, before: dict[str, Tensor], after: dict[str, Tensor]) -> None:
    """Refuse a result in which splats are missing beyond those that were cropped.

    Args:
        original: knows what it does to positions.
        before: the tensors that it was given.
        after: what it has left of them.

    Raises:
        WorkerError: some splats are there more than once, in the places of others.
    """
    moved = {**before, "means": original.log_transform(before["means"])}
    there, expected = (
        len(torch.unique(torch.cat([tensors[name] for name in ("means", "scales")], dim=1), dim=0))
        for tensors in (after, moved)
    )
    lost = expected - count_cropped(len(before["means"])) - there
    if lost > 0:
        raise WorkerError(
            f"the original's sort has lost {lost:,} of {expected:,} splats, which it does at times on some GPUs;"
            " run it again, or use the engine native"
        )


def find_copies(
    original: Original, before: dict[str, Tensor], after: dict[str, Tensor], count: int
) -> NDArray[np.bool_]:
    """Tell which splats are copies, (256,), in the order that the original has put them in.

    Splats are known by all their values but opacity, which the original takes out of the dictionary.

    Args:
        original: knows what it does to positions.
        before: the tensors that it was given: `count` splats, and then copies of them.
        after: what it has left of them.
        count: the first splats that are no copies.
    """
    quats = torch.nn.functional.normalize(before["quats"], dim=-1)
    quats[quats[:, 3] < 0] *= -1
    changed = {
        "means": original.log_transform(before["means"]),
        "quats": quats,
        "sh0": before["sh0"].clamp(-3.0, 3.0),
        "shN": before["shN"].clamp(-6.0, 6.0),
    }
    given, left = _rows({**before, **changed}), _rows(after)
    source = np.empty(len(left), np.intp)
    source[np.lexsort(left.T)] = np.lexsort(given.T)
    if not np.array_equal(given[source], left):
        raise RuntimeError("the original has changed the splats in another way than sogs 1.1.0 does")
    return source >= count


def _rows(tensors: dict[str, Tensor]) -> Floats:
    columns = [tensors[name].flatten(1) for name in ("means", "scales", "quats", "sh0", "shN")]
    return np.asarray(torch.cat(columns, dim=1).cpu().numpy())


def keep_texels(scene: EncodedScene, kept: NDArray[np.bool_]) -> EncodedScene:
    """Leave splats out of planes that are written already: the others keep their bytes."""
    document = json.loads(json.dumps(scene.meta.to_document()))
    for section in document.values():
        section["shape"][0] = int(kept.sum())
    images = {name: data if name == PALETTE else _keep(data, kept) for name, data in scene.images.items()}
    return replace(scene, meta=DocumentV1(document), images=images)


def _keep(image: bytes, kept: NDArray[np.bool_]) -> bytes:
    texels = read_texels(decode_webp(image), len(kept))[kept]
    return encode_vp8l(build_plane(torch.from_numpy(texels)))
