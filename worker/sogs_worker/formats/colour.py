"""Colours as the constant coefficients of spherical harmonics."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Y00 = 1 / math.sqrt(4 * math.pi)
"""The harmonic of band 0 (0.2821): a colour is 0.5 plus this times its coefficient (Kerbl et al. 2023)."""


def colours_to_sh0(colours: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the coefficients of colours, 0 to 1 where displays can show them; any shape."""
    return (colours - 0.5) / Y00


def sh0_to_colours(sh0: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the colours of coefficients; any shape."""
    return sh0 * Y00 + 0.5
