"""Splats are fitted to pictures of a full scene, from cameras all around and within it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.refine.optimizer import Optimizer, Rates, SharedHarmonics
from sogs_worker.refine.views import choose_cameras
from sogs_worker.render.camera import Camera
from sogs_worker.render.cuda.drawing import Views, draw, pack_views
from sogs_worker.render.cuda.program import Program, load_program
from sogs_worker.render.scene import Scene, build_shapes
from sogs_worker.splats import ARRAYS

LOGGER = logging.getLogger(__name__)

DECIBELS = 10 / math.log(10)
"""Of a natural logarithm of 1."""

SPLATS_AT_ONCE, PICTURES_AT_ONCE = 1 << 23, 16
"""Splats of the full scene, times pictures, that are drawn at once; and pictures."""
FULL_RATES = 50_000
"""Splats of a full scene up to which rates are those given; in a larger one they are as much smaller as it is larger.
Each of its splats is seen in fewer steps, and what single pictures want of it is less evened out: at greater rates even
pictures that steps look at become worse, but for those that were worst (docs/quality.md)."""
HARDLY_SEEN = 1e-4
"""Squared error of a picture, at 40 dB, below which it matters less and less whether it changes."""
LAST = 0.02
"""Part of the rates that is left at the last step."""

SHAPES = Rates(position=0.002, rotation=0.0008, scale=0.003, opacity=0.008, sh0=0.002, shn=0.0012)
"""For all of the splats. With five times as much some get lost; with half as much steps are wasted."""
SHAPE_VIEWS = 8
"""Of a step of these."""
COLOURS = Rates(position=0, rotation=0, scale=0, opacity=0.006, sh0=0.0015, shn=0.0008)
"""For splats whose shapes stay."""


@dataclass(frozen=True)
class Plan:
    """What splats are fitted to.

    Attributes:
        pictures: of the full scene, from which steps choose.
        held_out: more pictures, which no step looks at.
        side: of the pictures, pixels.
    """

    pictures: int = 512
    held_out: int = 32
    side: int = 640


PLAN = Plan()


@dataclass(frozen=True)
class Effort:
    """How splats are fitted.

    Attributes:
        steps: of Adam.
        rates: at the first step; they fall to `LAST` of that along a half cosine.
        views: that each step looks at. More of them even out what each wants, and take as much more time.
    """

    steps: int
    rates: Rates
    views: int = 4


class Refinery:
    """Pictures of a full scene, and steps towards them.

    Some pictures are held out: splats that look less like these after the steps than before stay as they were.
    """

    def __init__(
        self, full: Cloud, *, seed: int, cameras: Sequence[Camera] = (), program: Program | None = None
    ) -> None:
        """Draw the pictures.

        Args:
            full: what splats are to look like.
            seed: of the random cameras and of the order of all.
            cameras: some that the scene was made to be seen from, for up to half of the pictures.
            program: the kernels; by default those of this GPU.
        """
        self._program = program or load_program()
        self._plan = plan = PLAN
        self._rates = min(1.0, FULL_RATES / len(full))
        shapes = build_shapes(full.positions, full.rotations, full.scales, full.opacities, model=full.model)
        scene = Scene(**vars(shapes), sh0=full.sh0, shn=full.shn)
        chosen = choose_cameras(scene, cameras, plan.pictures + plan.held_out, plan.side, seed)
        self._views = pack_views(chosen, scene.device)
        self._targets = _pictures(self._program, scene, self._views)
        self._generator = torch.Generator().manual_seed(seed)

    def refine(
        self,
        cloud: Cloud,
        effort: Effort,
        *,
        palette: SharedHarmonics | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Cloud:
        """Fit splats to the pictures; those of a `palette` share SH coefficients, and its entries are changed."""
        entries = palette.entries.clone() if palette else None
        optimizer = Optimizer(self._program, cloud, palette)
        error = self._held_out_error(optimizer)
        plan, chosen = self._plan, torch.empty(0, dtype=torch.int64)
        for step in range(effort.steps):
            if len(chosen) < effort.views:
                chosen = torch.cat([chosen, torch.randperm(plan.pictures, generator=self._generator)])
            now, chosen = chosen[: effort.views].to(self._targets.device), chosen[effort.views :]
            fall = LAST + (1 - LAST) * (1 + math.cos(math.pi * step / effort.steps)) / 2
            rates = effort.rates.scaled(self._rates * fall)
            optimizer.step(self._views.take(now), self._targets[now], rates)
            progress((step + 1) / effort.steps)
        nearer = error - self._held_out_error(optimizer)
        is_better = nearer > 0 and _is_finite(optimizer.cloud, cloud)
        LOGGER.info(
            "%d steps of fitting bring held-out pictures %.2f dB nearer to the scene's%s",
            effort.steps,
            nearer * DECIBELS,
            "" if is_better else ", so they are undone",
        )
        if is_better:
            return optimizer.cloud
        if palette and entries is not None:
            palette.entries.copy_(entries)
        return cloud

    def _held_out_error(self, optimizer: Optimizer) -> float:
        """Return how far the splats' pictures are from the scene's, mean logarithm, from cameras that no step uses."""
        error = 0.0
        for number in range(self._plan.pictures, len(self._views)):
            one = torch.tensor([number], device=self._targets.device)
            error += float((optimizer.errors(self._views.take(one), self._targets[one]) + HARDLY_SEEN).log())
        return error / self._plan.held_out


def _pictures(program: Program, scene: Scene, views: Views) -> Tensor:
    """Draw the full scene, (V, H, W, 3) uint8."""
    pictures = torch.empty(len(views), views.height, views.width, 3, dtype=torch.uint8, device=scene.device)
    count = max(1, min(PICTURES_AT_ONCE, SPLATS_AT_ONCE // len(scene.alphas)))
    for begin in range(0, len(views), count):
        some = torch.arange(begin, min(begin + count, len(views)), device=scene.device)
        colours = draw(program, scene, views.take(some)).colours
        pictures[some] = _as_bytes(colours)
    return pictures


def _is_finite(cloud: Cloud, before: Cloud) -> bool:
    """Tell whether everything is finite that was so before."""
    return all(bool((getattr(cloud, name).isfinite() | ~getattr(before, name).isfinite()).all()) for name in ARRAYS)


def _as_bytes(colours: Tensor) -> Tensor:
    return (colours.clamp(0, 1) * 255).round().to(torch.uint8)
