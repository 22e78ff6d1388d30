"""The encoder's choices, each changed alone.

The encoder's modules are imported when choices are asked for: they load torch, and other commands do without.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

LEVEL = "balanced"
"""The level of quality whose choices are changed."""


@contextmanager
def changed(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """Give something that a module has another value within the block."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def build_choices() -> dict[str, AbstractContextManager[None]]:
    """Return, by name, what makes one choice of the encoder another one within a `with` block.

    What hangs on the choice follows it as it would in the product: coarser colours where the palette's error grows.
    """
    return {**_build_numbers(), **_build_steps()}


def _build_numbers() -> dict[str, AbstractContextManager[None]]:
    """Return the choices that are numbers of a level of quality."""
    from sogs_worker.engines import quantizing
    from sogs_worker.engines.quality import QUALITIES

    def level(**changes: Any) -> AbstractContextManager[None]:
        return changed(quantizing, "QUALITIES", QUALITIES | {LEVEL: replace(quality, **changes)})

    def palette(**changes: Any) -> AbstractContextManager[None]:
        return level(palette=replace(effort, **changes))

    quality = QUALITIES[LEVEL]
    effort = quality.palette
    return {
        "steps twice as wide": level(share=4 * quality.share, finest=2 * quality.finest, coarsest=2 * quality.coarsest),
        "steps half as wide": level(share=quality.share / 4, finest=quality.finest / 2, coarsest=quality.coarsest / 2),
        "positions 4 times as coarse": level(position=4 * quality.position),
        "positions with all 16 bits": level(position=0.0),
        "all splats alike": level(strength=0.0),
        "strength doubled": level(strength=2 * quality.strength),
        "palette with 2 iterations": palette(iterations=2),
        "palette step doubled": palette(step=2 * effort.step),
        "palette step halved": palette(step=effort.step / 2),
        "twice the palette": palette(splats_per_entry=effort.splats_per_entry / 2),
        "half the palette": palette(splats_per_entry=2 * effort.splats_per_entry),
    }


def _build_steps() -> dict[str, AbstractContextManager[None]]:
    """Return the choices that are steps of the encoder, left out or done more simply."""
    import torch

    from sogs_worker.encode import clean, kmeans, palette
    from sogs_worker.engines import attributes, quantizing

    def unweighted(shn: Tensor, weights: Tensor, **rest: Any) -> object:
        return palette.train_palette(shn, torch.ones_like(weights), **rest)

    def unordered(positions: Tensor, _classes: Tensor) -> Tensor:
        return torch.arange(len(positions), device=positions.device)

    return {
        "palette not weighted": changed(quantizing, "train_palette", unweighted),
        "centroids not relocated": changed(kmeans, "_relocate", lambda _1, _2, _3, centroids, _4: centroids),
        "entries rounded alike": changed(palette, "STRENGTH", 0.0),
        "entries not centred": changed(attributes, "centre_entries", lambda lattice, *_: lattice),
        "splats in the file's order": changed(attributes, "hilbert_order", unordered),
        "invisible splats kept": changed(clean, "INVISIBLE_LOGIT", -math.inf),
    }
