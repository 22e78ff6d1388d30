"""One scene's pictures against another's, from the same cameras. The scenes need not be in memory at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

from torch import Tensor

from sogs_worker.evaluate.metrics import psnr, ssim
from sogs_worker.evaluate.views import View
from sogs_worker.render import load_scene, render
from sogs_worker.splats import Splats


@dataclass(frozen=True)
class ViewScore:
    """What one view shows.

    Attributes:
        name: of the view.
        psnr: dB, infinite where both pictures are the same.
        ssim: at most 1.
    """

    name: str
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Comparison:
    """What all views show; at least one."""

    views: tuple[ViewScore, ...]

    @property
    def identical_views(self) -> int:
        """How many views have the same picture twice."""
        return sum(math.isinf(view.psnr) for view in self.views)

    @property
    def psnr(self) -> float:
        """Mean of the views' PSNRs, dB, over those whose pictures differ; infinite where none does."""
        finite = [view.psnr for view in self.views if math.isfinite(view.psnr)]
        return fmean(finite) if finite else math.inf

    @property
    def worst(self) -> ViewScore:
        """The view with the lowest PSNR."""
        return min(self.views, key=lambda view: view.psnr)

    @property
    def ssim(self) -> float:
        """Mean of the views' SSIMs."""
        return fmean(view.ssim for view in self.views)


def draw(splats: Splats, views: Iterable[View], *, device: str) -> Iterator[Tensor]:
    """Draw a scene from each view on `cpu` or `cuda`; it must be usable, see `encode.clean.drop_unusable`.

    Yields:
        (height, width, 3) uint8, on the device.
    """
    scene = load_scene(splats, device)
    for view in views:
        yield render(scene, view.camera)


def compare(views: Iterable[View], expected: Iterable[Tensor], got: Iterable[Tensor]) -> Comparison:
    """Measure pictures of a scene against those that are expected of the same views, at least one."""
    triples = zip(views, expected, got, strict=True)
    return Comparison(tuple(ViewScore(view.name, psnr(one, other), ssim(one, other)) for view, one, other in triples))
