"""The project's own encoder: SOG version 2 in torch, on the CPU or a GPU, with a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sogs_worker.encode.clean import clean
from sogs_worker.encode.cloud import Cloud, upload
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.heap import tidy
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.quality import QUALITIES
from sogs_worker.engines.quantizing import UNDONE, Kept, quantize, quantize_anew
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.refine import SHAPES, Effort, Refinery
from sogs_worker.render.camera import Camera
from sogs_worker.simplify import Simplification, Simplified
from sogs_worker.splats import Splats

Progress = Callable[[float], None]

SEEN, SIMPLIFIED = 0.1, 0.35
"""Shares that are over when cameras have looked at a scene that is simplified, and when it has been."""

REFINED = 0.55
"""Share that is over when a simplified scene has been fitted to pictures."""


def encode(
    splats: Splats,
    *,
    parameters: Parameters,
    device: str,
    cameras: Sequence[Camera] = (),
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> EncodedScene:
    """Encode a scene. The same scene, parameters, device and machine give the same bytes.

    Args:
        splats: the scene; not changed.
        parameters: engine and format are not looked at.
        device: `cpu` or `cuda`.
        cameras: some that the scene was made to be seen from, counted from the world's origin; of the pictures that
            splats are fitted to, up to half are taken from there.
        progress: told the stage, `encode`, and the fraction of it that is done.

    Raises:
        BadInputError: if no splat of the scene is usable.
    """
    progress("encode", 0.0)
    kept, most = QUALITIES[parameters.quality].kept, None
    if parameters.target:
        most = parameters.target.count(len(splats))
    elif kept is not None:
        most = max(1, round(kept * len(splats)))
    encoding = Encoding(splats, parameters, device, cameras)
    del splats  # a scene may be as large as all the rest, and each copy of it is let go when the next is there
    return encoding.run(most, is_last=True, progress=lambda done: progress("encode", done))


class Encoding:
    """A scene that is encoded, once or with several numbers of splats."""

    def __init__(self, splats: Splats, parameters: Parameters, device: str, cameras: Sequence[Camera] = ()) -> None:
        """Clean the scene, which is not changed; see `encode`."""
        self._cameras = [camera.counted_from(splats.origin) for camera in cameras]
        self._parameters, self._device = parameters, device
        self._origin = splats.origin
        cleaned = clean(upload(splats.with_sh_bands(parameters.sh_bands), device))
        self._dropped = Dropped(cleaned.unusable, cleaned.invisible)
        self._cloud: Cloud | None = cleaned.cloud
        self._simplification: Simplification | None = None
        self._refinery: Refinery | None = None
        self.kept: Kept | None = None
        """What the last run, unless it let the scene go, can be repeated from with other steps."""

    @property
    def splats(self) -> int:
        """How many an output can have."""
        return len(self._whole)

    @property
    def _whole(self) -> Cloud:
        if self._cloud is None:
            raise ValueError("the scene was let go by the last encoding")
        return self._cloud

    def run(
        self, most: int | None, *, fits: float = 1.0, is_last: bool = False, progress: Progress = lambda _: None
    ) -> EncodedScene:
        """Encode it.

        Args:
            most: splats that are kept; None keeps all.
            fits: part of the steps by which they are fitted to pictures, where the quality does that; with fewer than
                all, only their shapes are.
            is_last: lets the scene go.
            progress: receives the fraction done.
        """
        self.kept = None
        fits, notes = fits if self._parameters.is_fitted else 0.0, list[str]()
        simplified, begin = Simplified(self._whole, len(self._whole)), 0.0
        if most is not None and most < len(self._whole):
            begin = SIMPLIFIED
            simplified = self._simplify(most, progress, is_last=is_last)
            tidy(self._device)
        if fits:
            begin = REFINED
            if self._refinery is None:
                self._refinery = Refinery(self._whole, seed=self._parameters.seed, cameras=self._cameras)
            if len(simplified.cloud) < len(self._whole):  # else all shapes are the scene's own
                fitted = self._refine(self._refinery, simplified, SHAPES.shortened(fits), progress)
                if fitted is simplified.cloud:
                    notes.append(UNDONE.format(what="shapes"))
                simplified = replace(simplified, cloud=fitted)
                del fitted
        if is_last:
            self._cloud = self._simplification = None
        dropped = replace(self._dropped, merged=simplified.merged, pruned=simplified.pruned)
        clouds = [simplified.cloud]
        del simplified
        scene = quantize(
            clouds,
            self._parameters,
            device=self._device,
            origin=self._origin,
            refinery=self._refinery if fits == 1 else None,
            keep=None if is_last else self._keep,
            progress=lambda done: progress(begin + (1 - begin) * done),
        )
        return replace(scene, dropped=dropped, notes=(*notes, *scene.notes))

    def quantize_anew(self, kept: Kept, earlier: EncodedScene, coarser: float) -> EncodedScene:
        """Encode the splats of an earlier run with steps that are `coarser` times as wide."""
        scene = quantize_anew(kept, self._parameters, coarser=coarser, device=self._device, origin=self._origin)
        tidy(self._device)
        return replace(scene, dropped=earlier.dropped, notes=earlier.notes)

    def _keep(self, kept: Kept) -> None:
        self.kept = kept

    def _simplify(self, most: int, progress: Progress, *, is_last: bool) -> Simplified:
        if self._simplification is None:
            self._simplification = Simplification(self._whole, lambda done: progress(SEEN * done))
        return self._simplification.reduce_to(
            most, lambda done: progress(SEEN + (SIMPLIFIED - SEEN) * done), is_last=is_last
        )

    @staticmethod
    def _refine(refinery: Refinery, simplified: Simplified, effort: Effort, progress: Progress) -> Cloud:
        def show(done: float) -> None:
            progress(SIMPLIFIED + (REFINED - SIMPLIFIED) * done)

        return refinery.refine(simplified.cloud, effort, unchanged=simplified.unchanged, progress=show)
