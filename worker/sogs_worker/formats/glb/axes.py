"""The axes of glTF: y points up, where a trained PLY's points down; both are half a turn about z apart."""

from __future__ import annotations

import numpy as np

HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])
"""(4, 4), from a PLY's axes to those of glTF, and back. splat-transform and the PlayCanvas engine turn the same."""
