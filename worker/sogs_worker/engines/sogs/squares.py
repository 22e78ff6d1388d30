"""The square that the original lays splats out in: what it crops to fit, and scenes too small for it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sogs_worker.engines.sogs.packages import Original
from sogs_worker.errors import WorkerError
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.meta_fields import FILES
from sogs_worker.formats.sog.planes import build_plane, read_texels
from sogs_worker.formats.sog.version1 import DocumentV1
from sogs_worker.formats.sog.vp8l import encode_vp8l
from sogs_worker.formats.sog.webp import decode_plane
from sogs_worker.splats import Splats

Prints = NDArray[np.int64]

SMALLEST = 256
"""PLAS sorts blocks of 16 x 16, and k-means makes 64 clusters or more, each of 4 splats."""

PALETTE, _ = FILES["shN"]


def count_cropped(count: int) -> int:
    """Return how many of so many splats the original leaves out, the least opaque ones."""
    return count - math.isqrt(count) ** 2


def fill_square(splats: Splats) -> Splats:
    """Repeat the splats of a small scene until the original can sort them; others stay as they are."""
    return splats if len(splats) >= SMALLEST else splats.take(np.arange(SMALLEST) % len(splats))


def expected_prints(original: Original, given: Mapping[str, Tensor]) -> Prints:
    """Return the fingerprints of splats as the original is to sort them: with what sogs 1.1.0 changes before that.

    Args:
        original: knows what it does to positions.
        given: the tensors that it will be given; not changed.
    """
    quats = torch.nn.functional.normalize(given["quats"], dim=-1)
    quats[quats[:, 3] < 0] *= -1
    changed = {
        "means": original.log_transform(given["means"]),
        "quats": quats,
        "sh0": given["sh0"].clamp(-3.0, 3.0),
        "shN": given["shN"].clamp(-6.0, 6.0),
    }
    return fingerprints({**given, **changed})


def fingerprints(splats: Mapping[str, Tensor]) -> Prints:
    """Return a number for all values of each splat, (N,), which other values hardly ever have."""
    values = torch.cat([tensor.reshape(len(tensor), -1).view(torch.int32) for tensor in splats.values()], dim=1)
    factors = np.random.default_rng(0).integers(-(2**63), 2**63, values.shape[1])
    total = torch.zeros(len(values), dtype=torch.int64, device=values.device)
    for column, factor in zip(values.unbind(1), factors, strict=True):
        total += column.long() * int(factor)
    return np.asarray(total.cpu().numpy())


def find_copies(expected: Prints, after: Prints, count: int) -> NDArray[np.bool_]:
    """Tell which splats are copies, in the order that the original has put them in.

    Args:
        expected: fingerprints of the splats: of the first `count`, and then of copies of them.
        after: those of the sorted splats, without the cropped ones.
        count: the splats that are no copies.

    Raises:
        WorkerError: some splats are there more than once, in the places of others.
    """
    known, number = np.unique(np.concatenate([expected, after]), return_inverse=True)
    wanted, given = (np.bincount(number[:end], minlength=len(known)) for end in (count, len(expected)))
    there = number[len(expected) :]
    lost = int((np.bincount(there, minlength=len(known)) - given).clip(min=0).sum())
    if lost:
        raise WorkerError(
            f"the original's sort has lost {lost:,} of {len(after):,} splats, which it does at times on some GPUs;"
            " run it again, or use the engine native"
        )
    order = np.argsort(there, kind="stable")
    first = np.searchsorted(there[order], there[order])
    rank = np.empty(len(there), np.intp)
    rank[order] = np.arange(len(there)) - first
    return np.asarray(rank >= wanted[there])


def keep_texels(scene: EncodedScene, kept: NDArray[np.bool_]) -> EncodedScene:
    """Leave splats out of planes that are written already: the others keep their bytes."""
    document = json.loads(json.dumps(scene.meta.to_document()))
    for section in document.values():
        section["shape"][0] = int(kept.sum())
    images = {name: data if name == PALETTE else _keep(data, kept) for name, data in scene.images.items()}
    return replace(scene, meta=DocumentV1(document), images=images)


def _keep(image: bytes, kept: NDArray[np.bool_]) -> bytes:
    texels = read_texels(decode_plane(image), len(kept))[kept]
    return encode_vp8l(build_plane(torch.from_numpy(texels)))
