"""Splats are fitted to pictures of a full scene, from cameras all around and within it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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
Each of its splats is seen in fewer steps, and what single pictures want of it is less evened out (docs/quality.md)."""
LAST = 0.02
"""Part of the rates that is left at the last step."""

UNCHANGED_PACE = 0.3
"""How far splats that are as in the full scene move, beside others. They are where they belong: at a greater pace the
pictures that show little of what was merged become worse, and the others hardly better."""


@dataclass(frozen=True)
class Plan:
    """What splats are fitted to.

    Attributes:
        pictures: of the full scene, from which steps choose.
        held_out: more pictures, which no step looks at.
        side: of the pictures, pixels.
    """

    pictures: int = 512
    held_out: int = 64
    side: int = 640


PLAN = Plan()


@dataclass(frozen=True)
class Effort:
    """How splats are fitted.

    Attributes:
        steps: of Adam.
        views: that each step looks at. More of them even out what each wants, and take as much more time.
        rates: at the first step, in a scene of few splats; they fall to `LAST` of that along a half cosine.
    """

    steps: int
    views: int
    rates: Rates

    def shortened(self, part: float) -> Effort:
        """Return the same with a part of the steps."""
        return replace(self, steps=math.ceil(part * self.steps))

    def scaled(self, factor: float) -> Effort:
        """Return the same with all rates times a factor."""
        return replace(self, rates=self.rates.scaled(factor))

    def rates_at(self, step: int, splats: int) -> Rates:
        """Return the rates at a step, from 0, in a full scene of so many splats."""
        fall = LAST + (1 - LAST) * (1 + math.cos(math.pi * step / self.steps)) / 2
        return self.rates.scaled(fall * min(1.0, FULL_RATES / splats))


SHAPES = Effort(
    steps=1200,
    views=8,
    rates=Rates(position=0.002, rotation=0.0008, scale=0.003, opacity=0.008, sh0=0.002, shn=0.0012),
)
"""For all of the splats. With five times as much some get lost; with half as much steps are wasted."""
COLOURS = Effort(
    steps=600,
    views=8,
    rates=Rates(position=0, rotation=0, scale=0, opacity=0.006, sh0=0.0015, shn=0.0008),
)
"""For splats whose shapes stay."""


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
        self._splats = len(full)
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
        unchanged: int = 0,
        palette: SharedHarmonics | None = None,
        progress: Callable[[float], None] = lambda _: None,
    ) -> Cloud:
        """Fit splats to the pictures.

        Args:
            cloud: the splats.
            effort: steps and rates.
            unchanged: how many, the first ones, are as in the full scene.
            palette: SH coefficients that the splats share; its entries are changed.
            progress: receives the fraction done.

        Returns:
            The splats; `cloud` itself where the steps are undone.
        """
        entries = palette.entries.clone() if palette else None
        paces = torch.ones(len(cloud), device=cloud.positions.device)
        paces[:unchanged] = UNCHANGED_PACE
        optimizer = Optimizer(self._program, cloud, palette, paces)
        before = self._held_out_error(optimizer)
        plan, chosen = self._plan, torch.empty(0, dtype=torch.int64)
        for step in range(effort.steps):
            if len(chosen) < effort.views:
                chosen = torch.cat([chosen, torch.randperm(plan.pictures, generator=self._generator)])
            now, chosen = chosen[: effort.views].to(self._targets.device), chosen[effort.views :]
            optimizer.step(self._views.take(now), self._targets[now], effort.rates_at(step, self._splats))
            progress((step + 1) / effort.steps)
        nearer = 2 * (math.log(before) - math.log(self._held_out_error(optimizer)))  # either may be infinite
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
        """Return how far the splats' pictures are from the scene's, from cameras that no step uses.

        That is the mean of the square roots of their errors. In a mean of the errors one picture from within a splat
        outweighs all others; in one of logarithms, as in a step, those do that are nearer than anybody sees.
        """
        error = 0.0
        for number in range(self._plan.pictures, len(self._views)):
            one = torch.tensor([number], device=self._targets.device)
            error += math.sqrt(float(optimizer.errors(self._views.take(one), self._targets[one])))
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
