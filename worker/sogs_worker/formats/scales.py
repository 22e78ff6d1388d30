"""Standard deviations as their logarithms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_scales(scales: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the logarithms, of any shape: -Inf for 0, which is a flat splat's, and NaN for negative ones."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs: NDArray[np.floating] = np.log(scales)
    return logs
