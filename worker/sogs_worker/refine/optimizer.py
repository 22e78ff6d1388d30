"""Splats that move towards what pictures want of them, by Adam."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sogs_worker.encode.cloud import Cloud
from sogs_worker.render.cuda.drawing import Drawing, Views, draw
from sogs_worker.render.cuda.gradients import pair_gradients, picture_errors
from sogs_worker.render.cuda.program import THREADS, Program, blocks_for
from sogs_worker.render.scene import Scene
from sogs_worker.splats import ARRAYS, Model

SHAPE = 11
"""Numbers of a splat's shape: position, quaternion, logarithms of its axes, logit of its opacity."""
KEEP = [0.9, 0.999]
"""Of Adam's running means of gradients and of their squares, at each step (Kingma and Ba 2015)."""
ABSOLUTE = 0.1
"""Weight of the absolute error beside the squared one: a few large errors, at splats near a camera, do not lead all."""
ROUNDING = 1 / 12 / 255**2
"""Squared error of a picture whose values are bytes."""
CHUNK = 256
"""Members of an entry that one thread adds up."""


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
        chunk_starts: (H + 1,) int32, where each chunk of an entry's members begins, and where the last one's end.
        starts: (K + 1,) int32, where each entry's chunks begin.
    """

    def __init__(self, entries: Tensor, labels: Tensor) -> None:
        """List the splats of each of `entries`, which are copied."""
        self.entries, self.labels = entries.clone().contiguous(), labels
        ordered, members = torch.sort(labels, stable=True)
        begins = torch.searchsorted(ordered, torch.arange(len(entries) + 1, device=labels.device))
        chunks = (begins.diff() + CHUNK - 1) // CHUNK
        starts = torch.nn.functional.pad(chunks.cumsum(0), (1, 0))
        owner = torch.repeat_interleave(torch.arange(len(entries), device=labels.device), chunks)
        within = torch.arange(len(owner), device=labels.device) - starts[owner]
        self.members, self.starts = members.int(), starts.int()
        self.chunk_starts = torch.cat([begins[owner] + CHUNK * within, begins[-1:]]).int()


class Optimizer:
    """A scene in the course of being fitted."""

    def __init__(
        self,
        program: Program,
        cloud: Cloud,
        palette: SharedHarmonics | None = None,
        paces: Tensor | None = None,
    ) -> None:
        """Begin.

        Args:
            program: the kernels.
            cloud: the splats.
            palette: what is in the place of their SH coefficients above the constant one.
            paces: (N,) float32, by which the rates of each splat are multiplied, but for those of a palette.
        """
        self._program, self._paces = program, paces
        self._arrays: dict[str, Any] = {name: getattr(cloud, name).clone().contiguous() for name in ARRAYS}
        self._cloud, self._palette = cloud, palette
        count, device = len(cloud), cloud.positions.device
        numbers = cloud.shn[0].numel()
        self._shape = _moments(count, SHAPE, device)
        self._colour = _moments(count, 3 if palette else 3 + numbers, device)
        self._factors = torch.empty(count, 3, 3, device=device)
        self._alphas = torch.empty(count, device=device)
        self._steps = torch.zeros(count, dtype=torch.int32, device=device)
        if palette:
            self._entry = _moments(len(palette.entries), numbers, device)
            self._entry_steps = torch.zeros(len(palette.entries), numbers, dtype=torch.int32, device=device)
            self._by_shn = torch.empty(count, numbers, device=device)
            self._sums = torch.empty(len(palette.chunk_starts) - 1, numbers, device=device)
            self._arrays["shn"] = palette.entries[palette.labels]

    @property
    def cloud(self) -> Cloud:
        """The splats as they are by now."""
        return replace(self._cloud, **self._arrays)

    def draw(self, views: Views, *, differentiable: bool = False) -> Drawing:
        """Draw the splats as they are by now."""
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
        return draw(self._program, scene, views, differentiable=differentiable)

    def errors(self, views: Views, targets: Tensor) -> Tensor:
        """Return how far the splats' pictures are from `targets`, (V, H, W, 3) uint8: at least `ROUNDING`, (V,)."""
        return _errors(self.draw(views), targets)

    def step(self, views: Views, targets: Tensor, rates: Rates) -> None:
        """Move the splats that pictures from `views` show towards `targets`, (V, H, W, 3) uint8.

        It lowers the sum of the logarithms of the pictures' errors, and so raises their mean PSNR: else pictures from
        close by, whose errors are large, would be mended at the cost of those from outside.
        """
        drawing = self.draw(views, differentiable=True)
        weights = 1 / _errors(drawing, targets)
        gradients = pair_gradients(self._program, drawing, targets, weights, absolute=ABSOLUTE)
        count, arrays, palette = len(self._cloud), self._arrays, self._palette
        by_colours = torch.empty(len(views), count, 3, device=targets.device)
        self._program.launch(
            "step_shapes",
            blocks_for(count),
            THREADS,
            *(count, len(views), int(self._cloud.model is Model.ANTIALIASED), views.cameras, drawing.ellipses),
            *(drawing.firsts, drawing.counts, gradients, self._factors, self._alphas, rates.numbers, self._paces),
            *(KEEP, self._steps),
            *(arrays[name] for name in ("positions", "rotations", "scales", "opacities")),
            *(*self._shape, by_colours),
        )
        self._program.launch(
            "step_colours",
            blocks_for(count),
            THREADS,
            *(count, len(views), self._cloud.shn.shape[1], views.cameras, drawing.counts, by_colours),
            *(arrays["positions"], rates.numbers, self._paces, KEEP, self._steps),
            *(arrays["sh0"], arrays["shn"], *self._colour),
            self._by_shn if palette else None,
        )
        if palette:
            self._step_entries(palette, rates.shn)
            torch.index_select(palette.entries, 0, palette.labels, out=arrays["shn"])

    def _step_entries(self, palette: SharedHarmonics, rate: float) -> None:
        chunks, numbers = self._sums.shape
        self._program.launch(
            "sum_members",
            blocks_for(chunks * numbers),
            THREADS,
            *(chunks, numbers, palette.chunk_starts, palette.members, self._by_shn, self._sums),
        )
        self._program.launch(
            "step_entries",
            blocks_for(palette.entries.numel()),
            THREADS,
            *(len(palette.entries), numbers, palette.starts, self._sums, rate, KEEP),
            *(self._entry_steps, palette.entries, *self._entry),
        )


def _moments(count: int, numbers: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return Adam's running means of gradients and of their squares at the start."""
    return torch.zeros(count, numbers, device=device), torch.zeros(count, numbers, device=device)


def _errors(drawing: Drawing, targets: Tensor) -> Tensor:
    return picture_errors(drawing, targets, absolute=ABSOLUTE) + ROUNDING
