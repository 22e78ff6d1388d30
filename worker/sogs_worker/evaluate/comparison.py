"""One scene's pictures against another's, from the same cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from sogs_worker.errors import BadInputError
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


def compare(reference: Splats, other: Splats, views: Sequence[View], *, device: str) -> Comparison:
    """Draw both scenes from each view on `cpu` or `cuda` and measure the second against the first.

    Both must be usable: see `encode.clean.drop_unusable`.

    Raises:
        BadInputError: if every view of the reference is black: cameras that miss it would find all scenes identical.
    """
    first, second = load_scene(reference, device), load_scene(other, device)
    scores, seen = [], False
    for view in views:
        expected, got = render(first, view.camera), render(second, view.camera)
        scores.append(ViewScore(view.name, psnr(expected, got), ssim(expected, got)))
        seen = seen or bool(expected.any())
    if not seen:
        raise BadInputError("every view of it is black, so nothing was measured; name cameras that see it")
    return Comparison(tuple(scores))
