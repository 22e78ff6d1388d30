"""The encoding of a scene that just meets a target, found by trials with different numbers of splats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.target import Target
from sogs_worker.errors import QualityGateError
from sogs_worker.naming import BUNDLED
from sogs_worker.publish.manifest import Trial
from sogs_worker.scenes.goal import Goal, search, search_twice
from sogs_worker.scenes.trials import FINENESS, FINEST, Trials

if TYPE_CHECKING:
    from sogs_worker.evaluate import Reference
    from sogs_worker.formats.sog.layout import EncodedScene
    from sogs_worker.render.camera import Camera
    from sogs_worker.splats import Splats

WITHIN = 0.03
"""How far below the bytes of a target an output may stay, as a share of them."""
WITHIN_DB = 0.2
"""How far above the PSNR of a target an output may be."""
BELOW_DB, ABOVE_DB = 0.3, 2.0
"""How far below and above the PSNR of a target that of a number of splats may be: steps of another width do the rest.
Fewer numbers need be tried so, each of which costs more than many widths."""
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
FITTED_DB = 1.1
"""How much higher a PSNR is for all of the steps: 0.2 to 2.3 dB in four scenes, and less where it is high."""
WIDTH_DB_SLOPE = 2.0
"""By how much the PSNR grows where steps become e times as narrow, about."""


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

        def judge(count: int, scene: EncodedScene) -> Trial:
            return self._judge(count, scene, parameters.format, target)

        trials = Trials(encoding, target, judge, lambda done: progress("encode", done))
        self.trials = trials.all
        most, first, is_fitted = encoding.splats, _first(target, encoding.splats), parameters.is_fitted
        if target.max_bytes:
            estimate = partial(trials.estimate, fits=0.0) if is_fitted else None
            _search_numbers(trials, _bytes_goal(target.max_bytes), most, first, estimate, math.log(FITTED_BYTES))
        else:
            least = target.min_psnr or 0.0
            estimate = partial(trials.estimate, fits=QUICK_STEPS) if is_fitted else None
            goal = Goal(least - BELOW_DB, least + ABOVE_DB, DB_SLOPE)
            _search_numbers(trials, goal, most, first, estimate, FITTED_DB)
            _search_width(trials, least)
            if trials.best is None or (trials.best.trial.psnr or 0.0) > least + ABOVE_DB:
                # Narrower steps were not enough. What has been tried is known and costs nothing.
                search(replace(goal, low=least), most, max(trials.values), trials.measure)
                _search_width(trials, least)
        progress("encode", 1.0)
        if trials.best is None:
            raise QualityGateError(f"{self._uri} would miss its target: {_fault(target, self.trials)}")
        self.psnr = trials.best.trial.psnr
        return trials.best.scene

    def _judge(self, count: int, scene: EncodedScene, output_format: str, target: Target) -> Trial:
        """Measure an encoding as it would be written."""
        from sogs_worker.formats.sog.file import read_sog, write_sog

        with TemporaryDirectory(dir=self._scratch) as folder:
            path = Path(folder) / "trial.sog"
            write_sog(path, scene)
            psnr = None if target.max_bytes else self._reference().compare(read_sog(path)).psnr
            unbundled = len(scene.meta.to_json()) + sum(map(len, scene.images.values()))
            return Trial(count, path.stat().st_size if output_format == BUNDLED else unbundled, psnr)


def _search_numbers(
    trials: Trials, goal: Goal, most: int, first: int, estimate: Callable[[int], float] | None, gain: float
) -> None:
    """Try numbers of splats until one is good enough, or none can be; see `search_twice`, where there are estimates."""
    if estimate:
        search_twice(goal, most, first, estimate, trials.measure, gain)
    else:
        search(goal, most, first, trials.measure)


def _search_width(trials: Trials, least: float) -> None:
    """Try steps of other widths for the splats whose PSNR is nearest, unless that is far below."""
    if trials.nearest and trials.value(trials.nearest) >= least - ABOVE_DB:
        search(Goal(least, least + WITHIN_DB, WIDTH_DB_SLOPE), FINEST, FINENESS, trials.measure_fineness)


def _bytes_goal(most: int) -> Goal:
    growing = max(1 - FIXED_BYTES / most, LEAST_GROWING)
    return Goal(math.log((1 - WITHIN) * most), math.log(most), BYTES_SLOPE * growing)


def _first(target: Target, most: int) -> int:
    """Guess a number of splats to begin with."""
    if target.max_bytes:
        return round((target.max_bytes - FIXED_BYTES) / BYTES_PER_SPLAT)
    return round(most * math.exp(min((target.min_psnr or 0.0) - ALL_DB, 0.0) / DB_SLOPE))


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
