"""Splats that move towards what pictures want of them, by Adam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.render.cuda.drawing import Drawing, Views, draw
from sogs_worker.render.cuda.gradients import pair_gradients
from sogs_worker.render.cuda.program import THREADS, Program, blocks_for
from sogs_worker.render.scene import Scene
from sogs_worker.splats import ARRAYS, Model

SHAPE = 11
"""Numbers of a splat's shape: position, quaternion, logarithms of its axes, logit of its opacity."""
KEPT_MEAN, KEPT_SQUARE = 0.9, 0.999
"""Of Adam's running means, at each step (Kingma and Ba 2015)."""


@dataclass(frozen=True)
class Rates:
    """How far a step moves each attribute at most; 0 keeps it.

    Attributes:
        position: in units of the splat's middle axis.
        rotation: of the quaternion.
        scale: of the axes' logarithms.
        opacity: of the logit.
        sh0: of the constant SH coefficient.
        shn: of the other ones.
    """

    position: float
    rotation: float
    scale: float
    opacity: float
    sh0: float
    shn: float

    @property
    def numbers(self) -> list[float]:
        """The rates as the kernels have them."""
        return [self.position, self.rotation, self.scale, self.opacity, self.sh0, self.shn]

    def scaled(self, factor: float) -> Rates:
        """Return the rates times a factor."""
        return Rates(*(factor * rate for rate in self.numbers))


class SharedHarmonics:
    """SH coefficients that splats share.

    Attributes:
        entries: (K, C, 3) float32, which steps change.
        labels: (N,) int64, the entry of each splat.
        members: (N,) int32, the splats entry after entry.
        starts: (K + 1,) int32, where each entry's members begin.
    """

    def __init__(self, entries: Tensor, labels: Tensor) -> None:
        """List the splats of each of `entries`, which are copied."""
        self.entries, self.labels = entries.clone().contiguous(), labels
        ordered, members = torch.sort(labels, stable=True)
        bounds = torch.arange(len(entries) + 1, device=labels.device)
        self.members, self.starts = members.int(), torch.searchsorted(ordered, bounds, out_int32=True)


class Optimizer:
    """A scene in the course of being fitted."""

    def __init__(self, program: Program, cloud: Cloud, palette: SharedHarmonics | None = None) -> None:
        """Begin with a scene, and with `palette` in the place of its SH coefficients above the constant one."""
        self._program = program
        self._arrays: dict[str, Any] = {name: getattr(cloud, name).clone().contiguous() for name in ARRAYS}
        self._cloud, self._palette = cloud, palette
        count, device = len(cloud), cloud.positions.device
        numbers = cloud.shn[0].numel()
        self._shape = _moments(count, SHAPE, device)
        self._colour = _moments(count, 3 if palette else 3 + numbers, device)
        self._factors = torch.empty(count, 3, 3, device=device)
        self._alphas = torch.empty(count, device=device)
        self._steps = 0
        if palette:
            self._entry = _moments(len(palette.entries), numbers, device)
            self._by_shn = torch.empty(count, numbers, device=device)
            self._arrays["shn"] = palette.entries[palette.labels]

    @property
    def cloud(self) -> Cloud:
        """The splats as they are by now."""
        return replace(self._cloud, **self._arrays)

    def draw(self, views: Views) -> Drawing:
        """Draw the splats such that `step` can follow."""
        arrays, count = self._arrays, len(self._cloud)
        shapes = (arrays["rotations"], arrays["scales"], arrays["opacities"], self._factors, self._alphas)
        self._program.launch("shape", blocks_for(count), THREADS, count, *shapes)
        scene = Scene(
            arrays["positions"],
            self._factors,
            self._alphas,
            arrays["sh0"],
            arrays["shn"],
            is_antialiased=self._cloud.model is Model.ANTIALIASED,
        )
        return draw(self._program, scene, views, differentiable=True)

    def step(self, views: Views, targets: Tensor, rates: Rates, *, absolute: float) -> None:
        """Move the splats that pictures from `views` show towards `targets`, (V, H, W, 3) uint8."""
        drawing = self.draw(views)
        gradients = pair_gradients(self._program, drawing, targets, absolute=absolute)
        self._steps += 1
        adam = [KEPT_MEAN, KEPT_SQUARE, 1 / (1 - KEPT_MEAN**self._steps), 1 / (1 - KEPT_SQUARE**self._steps)]
        count, arrays, palette = len(self._cloud), self._arrays, self._palette
        by_colours = torch.empty(len(views), count, 3, device=targets.device)
        self._program.launch(
            "step_shapes",
            blocks_for(count),
            THREADS,
            *(count, len(views), int(self._cloud.model is Model.ANTIALIASED), views.cameras, drawing.ellipses),
            *(drawing.firsts, drawing.counts, gradients, self._factors, self._alphas, rates.numbers, adam),
            *(arrays[name] for name in ("positions", "rotations", "scales", "opacities")),
            *(*self._shape, by_colours),
        )
        self._program.launch(
            "step_colours",
            blocks_for(count),
            THREADS,
            *(count, len(views), self._cloud.shn.shape[1], views.cameras, drawing.counts, by_colours),
            *(arrays["positions"], rates.numbers, adam, arrays["sh0"], arrays["shn"], *self._colour),
            self._by_shn if palette else None,
        )
        if palette:
            numbers = palette.entries[0].numel()
            self._program.launch(
                "step_entries",
                blocks_for(palette.entries.numel()),
                THREADS,
                *(len(palette.entries), numbers, palette.starts, palette.members, self._by_shn, rates.shn, adam),
                *(palette.entries, *self._entry),
            )
            torch.index_select(palette.entries, 0, palette.labels, out=arrays["shn"])


def _moments(count: int, numbers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return Adam's running means of gradients and of their squares at the start."""
    return torch.zeros(count, numbers, device=device), torch.zeros(count, numbers, device=device)
