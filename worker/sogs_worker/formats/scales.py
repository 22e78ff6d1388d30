"""Standard deviations as their logarithms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FLATTEST = np.float32(1e-9)
"""What a standard deviation of 0 is read as, so that the splat stays, as flat as no picture can tell."""


def log_scales(scales: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the logarithms, of any shape: finite for 0, NaN for negative ones."""
    with np.errstate(invalid="ignore"):
        logs: NDArray[np.floating] = np.log(np.where(scales == 0, FLATTEST, scales))
    return logs
