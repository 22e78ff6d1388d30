"""What each level of quality means: how fine the steps are, and how much work is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sogs_worker.encode.palette import PaletteEffort

NEGLIGIBLE = 0.7
"""Error of a palette, of that of the constant coefficient's finest step, below which it has fewer entries."""


@dataclass(frozen=True)
class Quality:
    """A point on the curve of bytes against error.

    The step of the constant SH coefficient is the measure of all others: the palette's error is most of what can be
    seen, so the other attributes need only be so fine that they add little to it.

    Attributes:
        share: squared error of the constant coefficients, as a share of the palette's.
        finest, coarsest: bounds of the step, in units of the coefficient (1 is 0.28 of full brightness).
        position: widest step of the most important splats' positions, in standard deviations of the splat.
        strength: how much coarser the steps of less important splats are, 0 to 1; see `importance.coarseness`.
        palette: of the other SH coefficients.
        kept: share of the splats, where no target says how many, which are then fitted to pictures on a GPU; None keeps
            all as they are.
    """

    share: float
    finest: float
    coarsest: float
    position: float
    strength: float
    palette: PaletteEffort
    kept: float | None = None

    @property
    def enough(self) -> float:
        """Squared error below which the palette need not be."""
        return NEGLIGIBLE * self.finest**2 / 12

    def choose_step(self, palette_error: float) -> float:
        """Return the step whose squared error is a share of the palette's, for the most important splats."""
        return min(max(math.sqrt(12 * self.share * palette_error), self.finest), self.coarsest)


FAST = Quality(
    share=0.025,
    finest=0.05,
    coarsest=0.2,
    position=1 / 64,
    strength=0.3,
    palette=PaletteEffort(splats_per_entry=5.5, step=0.085, iterations=3, probes=8, final_probes=16),
)
BALANCED = Quality(
    share=0.0064,
    finest=0.024,
    coarsest=0.15,
    position=1 / 64,
    strength=0.3,
    palette=PaletteEffort(splats_per_entry=3.9, step=0.05, iterations=8, probes=12, final_probes=32),
)
BEST = Quality(
    share=0.0032,
    finest=0.016,
    coarsest=0.1,
    position=1 / 128,
    strength=0.3,
    palette=PaletteEffort(splats_per_entry=3.2, step=0.045, iterations=10, probes=16, final_probes=64),
)

QUALITIES = {
    "fast": FAST,
    "balanced": BALANCED,
    "best": BEST,
    "compact": replace(BALANCED, kept=0.40),
    "smallest": replace(FAST, position=1 / 16, kept=0.275),
}
