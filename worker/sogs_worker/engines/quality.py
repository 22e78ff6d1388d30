"""What each level of quality means: how fine each attribute's steps are, and how much work is spent."""

from __future__ import annotations

from dataclasses import dataclass

from sogs_worker.encode.palette import PaletteEffort


@dataclass(frozen=True)
class Quality:
    """A point on the curve of bytes against error.

    Attributes:
        strength: how much coarser the steps of less important splats are, 0 to 1; see `importance.coarseness`.
        position: of the most important splats' positions: the widest step, in standard deviations of the splat.
        scale: step of the logarithm of an axis.
        rotation: level of a quaternion's bytes: the step is 2^level / 255 * sqrt(2).
        colour: step of the constant SH coefficient.
        opacity: level of alpha's byte: the step is 2^level / 255.
        palette: of the other SH coefficients.
    """

    strength: float
    position: float
    scale: float
    rotation: int
    colour: float
    opacity: int
    palette: PaletteEffort


QUALITIES = {
    "fast": Quality(
        strength=0.25,
        position=1 / 16,
        scale=0.06,
        rotation=1,
        colour=0.03,
        opacity=1,
        palette=PaletteEffort(splats_per_entry=16, step=0.2, iterations=3, probes=6, final_probes=12),
    ),
    "balanced": Quality(
        strength=0.25,
        position=1 / 32,
        scale=0.04,
        rotation=0,
        colour=0.02,
        opacity=0,
        palette=PaletteEffort(splats_per_entry=5, step=0.15, iterations=6, probes=12, final_probes=32),
    ),
    "best": Quality(
        strength=0.25,
        position=1 / 64,
        scale=0.03,
        rotation=0,
        colour=0.015,
        opacity=0,
        palette=PaletteEffort(splats_per_entry=4, step=0.1, iterations=10, probes=16, final_probes=64),
    ),
}
