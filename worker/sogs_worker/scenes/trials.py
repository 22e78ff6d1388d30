"""Encodings of one scene that are tried for a target, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sogs_worker.engines.target import Target
from sogs_worker.publish.manifest import IDENTICAL_PSNR, Trial

if TYPE_CHECKING:
    from sogs_worker.engines.native import Encoding
    from sogs_worker.engines.quantizing import Kept
    from sogs_worker.formats.sog.layout import EncodedScene

QUICK_LEFT = 0.9
"""Part of the time that is left after an estimate, and after steps of another width."""
FINENESS, FINEST = 1000, 2000
"""What the width of the steps that a quality has is counted as, and half that width; others are in proportion."""
WANTED_DB = 0.5
"""How far above the PSNR of a target splats should be whose steps are made wider."""

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Tried:
    """An encoding.

    Attributes:
        trial: what was measured.
        scene: the planes.
        kept: what its splats can be quantised from once more; None if nobody will.
    """

    trial: Trial
    scene: EncodedScene
    kept: Kept | None


class Trials:
    """Makes and measures encodings, each of them once."""

    def __init__(
        self, encoding: Encoding, target: Target, judge: Callable[[int, EncodedScene], Trial], progress: Progress
    ) -> None:
        """Begin.

        Args:
            encoding: of the scene.
            target: what an output is to be.
            judge: measures an encoding with a number of splats.
            progress: receives the fraction done: each trial takes a part of what is left, for all that is known.
        """
        self._encoding, self._target = encoding, target
        self._judge, self._progress = judge, progress
        self._left = 1.0
        self._estimates: dict[tuple[int, float], float] = {}
        self.values: dict[int, float] = {}
        """Of those with steps as wide as the quality has them, by the number of splats."""
        self.nearest: Tried | None = None
        """The one of these whose PSNR is nearest to `WANTED_DB` above the target."""
        self.all: list[Trial] = []
        """All but estimates, in their order."""
        self.best: Tried | None = None
        """The best that meets the target."""

    def estimate(self, count: int, fits: float) -> float:
        """Measure an encoding whose splats are fitted to pictures by a part of the steps."""
        if (count, fits) not in self._estimates:
            made = self._make(count, lambda show: self._encoding.run(count, fits=fits, progress=show), QUICK_LEFT)
            self._estimates[count, fits] = self.value(made)
        return self._estimates[count, fits]

    def measure(self, count: int) -> float:
        """Measure an encoding with so many splats."""
        if count not in self.values:
            made = self._make(count, lambda show: self._encoding.run(count, progress=show), 0.5)
            self.values[count] = self.value(made)
            self._note(made)
            if not self._target.max_bytes and (self.nearest is None or self._miss(made) < self._miss(self.nearest)):
                self.nearest = made
        return self.values[count]

    def measure_fineness(self, fineness: int) -> float:
        """Measure the splats of the nearest with steps of another width."""
        if self.nearest is None or self.nearest.kept is None:
            raise ValueError("no number of splats was measured for a PSNR")
        near, kept = self.nearest, self.nearest.kept
        if fineness == FINENESS:
            return self.value(near)
        coarser = FINENESS / fineness
        made = self._make(
            near.trial.splats, lambda _: self._encoding.quantize_anew(kept, near.scene, coarser), QUICK_LEFT
        )
        self._note(made)
        return self.value(made)

    def value(self, tried: Tried) -> float:
        """Return what is to be met: the logarithm of the bytes, or the PSNR."""
        trial = tried.trial
        return math.log(trial.bytes) if self._target.max_bytes else min(trial.psnr or 0.0, IDENTICAL_PSNR)

    def _make(self, count: int, encode: Callable[[Progress], EncodedScene], leaves: float) -> Tried:
        before, self._left = self._left, self._left * leaves
        scene = encode(lambda done: self._progress(1 - before + (before - self._left) * done))
        return Tried(self._judge(count, scene), scene, None if self._target.max_bytes else self._encoding.kept)

    def _miss(self, tried: Tried) -> float:
        return abs(self.value(tried) - (self._target.min_psnr or 0.0) - WANTED_DB)

    def _note(self, made: Tried) -> None:
        self.all.append(made.trial)
        if self._meets(made.trial) and (self.best is None or self._is_better(made.trial, self.best.trial)):
            self.best = made

    def _meets(self, trial: Trial) -> bool:
        if self._target.max_bytes:
            return trial.bytes <= self._target.max_bytes
        return trial.psnr is not None and self._target.min_psnr is not None and trial.psnr >= self._target.min_psnr

    def _is_better(self, one: Trial, other: Trial) -> bool:
        return one.splats > other.splats if self._target.max_bytes else one.bytes < other.bytes
