"""The encoding of a scene that just meets a target, found by trials with different numbers of splats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.errors import QualityGateError
from sogs_worker.naming import BUNDLED
from sogs_worker.publish.manifest import IDENTICAL_PSNR, Trial
from sogs_worker.scenes.goal import Goal, search, search_twice

if TYPE_CHECKING:
    from sogs_worker.evaluate import Reference
    from sogs_worker.formats.sog.layout import EncodedScene
    from sogs_worker.render.camera import Camera
    from sogs_worker.splats import Splats

WITHIN = 0.03
"""How far below the bytes of a target an output may stay, as a share of them."""
WITHIN_DB = 0.2
"""How far above the PSNR of a target an output may be."""
BYTES_PER_SPLAT = 16
"""Of a trained scene with all SH bands; where a search begins."""
FIXED_BYTES = 9000
"""Of a bundle with few splats: mostly its codebooks."""
BYTES_SLOPE, DB_SLOPE = 0.96, 8.0
"""By how much the logarithm of the bytes that are not fixed, and the PSNR, grow from one number of splats to e times as
many, about."""
LEAST_GROWING = 0.5
"""Least part of the bytes that is taken to grow with the splats: in a scene without SH bands fewer are fixed."""
ALL_DB = 48.0
"""PSNR of a trained scene with all of its splats, about."""
FITTED_BYTES = 1.01
"""How many times as long a bundle is about for fitting its splats."""
QUICK_STEPS = 1 / 8
"""Part of the steps by which splats are fitted to estimate a PSNR. Without any it scatters by a decibel: some merged
splats spoil a view until they are fitted."""
FITTED_DB, FITTED_DB_DOUBT = 0.7, 0.5
"""How much higher a PSNR is for all of the steps, and how far from that it may be; both are guesses."""
QUICK_LEFT = 0.9
"""Part of the time that is left after an estimate."""


class TargetSearch:
    """The native engine, used until an output meets its target; an `Engine` itself."""

    def __init__(
        self, uri: str, reference: Callable[[], Reference], scratch: Path, cameras: Sequence[Camera] = ()
    ) -> None:
        """Begin.

        Args:
            uri: of the output, for messages.
            reference: draws how the scene should look; called for a target of PSNR, once for each trial.
            scratch: a folder for what is tried.
            cameras: see `native.encode`.
        """
        self._uri = uri
        self._reference = reference
        self._scratch, self._cameras = scratch, cameras
        self.trials: list[Trial] = []
        """Outputs that were tried, in their order."""
        self.psnr: float | None = None
        """Of the output, dB, where the trials have measured it."""

    def __call__(
        self,
        splats: Splats,
        *,
        parameters: Parameters,
        device: str,
        progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
    ) -> EncodedScene:
        """Encode a scene such that it just meets its target; see `native.encode`.

        Raises:
            QualityGateError: nothing meets it.
        """
        from sogs_worker.engines.native import Encoding

        progress("encode", 0.0)
        target = parameters.target or Target()
        encoding = Encoding(splats, replace(parameters, target=None), device, self._cameras)
        del splats
        quick = 0.0 if target.max_bytes else QUICK_STEPS
        best: tuple[Trial, EncodedScene] | None = None
        left = 1.0  # of the time, where each trial takes a part of what is left, for all that is known

        @cache
        def measure(count: int, *, fits: float = 1.0) -> float:
            nonlocal best, left
            before, left = left, left * (0.5 if fits == 1 else QUICK_LEFT)

            def show(done: float) -> None:
                progress("encode", 1 - before + (before - left) * done)

            scene = encoding.run(count, fits=fits, progress=show)
            trial = self._judge(count, scene, parameters.format, target)
            if fits == 1:
                self.trials.append(trial)
                if _meets(target, trial) and (best is None or _is_better(target, trial, best[0])):
                    best = trial, scene
            return _value(target, trial)

        goal, first = _goal(target), _first(target, encoding.splats)
        if parameters.is_fitted:
            gain, doubt = (math.log(FITTED_BYTES), 0.0) if target.max_bytes else (FITTED_DB, FITTED_DB_DOUBT)
            search_twice(goal, encoding.splats, first, partial(measure, fits=quick), measure, gain, doubt)
        else:
            search(goal, encoding.splats, first, measure)
        progress("encode", 1.0)
        if best is None:
            raise QualityGateError(f"{self._uri} would miss its target: {_fault(target, self.trials)}")
        self.psnr = best[0].psnr
        return best[1]

    def _judge(self, count: int, scene: EncodedScene, output_format: str, target: Target) -> Trial:
        """Measure an encoding as it would be written."""
        from sogs_worker.formats.sog.file import read_sog, write_sog

        with TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / "trial.sog"
            write_sog(path, scene)
            psnr = None if target.max_bytes else self._reference().compare(read_sog(path)).psnr
            unbundled = len(scene.meta.to_json()) + sum(map(len, scene.images.values()))
            return Trial(count, path.stat().st_size if output_format == BUNDLED else unbundled, psnr)


def _goal(target: Target) -> Goal:
    if target.max_bytes:
        growing = max(1 - FIXED_BYTES / target.max_bytes, LEAST_GROWING)
        return Goal(math.log((1 - WITHIN) * target.max_bytes), math.log(target.max_bytes), BYTES_SLOPE * growing)
    least = target.min_psnr or 0.0
    return Goal(least, least + WITHIN_DB, DB_SLOPE)


def _first(target: Target, most: int) -> int:
    """Guess a number of splats to begin with."""
    if target.max_bytes:
        return round((target.max_bytes - FIXED_BYTES) / BYTES_PER_SPLAT)
    return round(most * math.exp(min((target.min_psnr or 0.0) - ALL_DB, 0.0) / DB_SLOPE))


def _value(target: Target, trial: Trial) -> float:
    return math.log(trial.bytes) if target.max_bytes else min(trial.psnr or 0.0, IDENTICAL_PSNR)


def _meets(target: Target, trial: Trial) -> bool:
    if target.max_bytes:
        return trial.bytes <= target.max_bytes
    return trial.psnr is not None and target.min_psnr is not None and trial.psnr >= target.min_psnr


def _is_better(target: Target, one: Trial, other: Trial) -> bool:
    return one.splats > other.splats if target.max_bytes else one.splats < other.splats


def _fault(target: Target, trials: list[Trial]) -> str:
    if target.max_bytes:
        least = min(trials, key=lambda trial: trial.bytes)
        return (
            f"{least.splats:,} splats of it take {least.bytes:,} bytes, encoder.target.maxBytes is"
            f" {target.max_bytes:,}; nothing was published, so choose another encoder.quality or bound"
        )
    best = max(trials, key=lambda trial: trial.psnr or 0.0)
    return (
        f"{best.splats:,} splats of it have a PSNR of {best.psnr:.2f} dB, encoder.target.minPSNR is"
        f" {target.min_psnr:g} dB; nothing was published, so choose another encoder.quality or bound"
    )
