"""Files with more bands of spherical harmonics than SOG has: the first ones are read, and the others are spoken of."""

from __future__ import annotations

from sogs_worker.splats import SH_COEFFICIENTS

KEPT_BANDS = len(SH_COEFFICIENTS) - 1
MOST_BANDS = 4
"""That files have: of SPZ, and of PLYs that trainers of more bands write."""


def count_coefficients(bands: int) -> int:
    """Count the SH coefficients a channel, the constant one left out."""
    return (bands + 1) ** 2 - 1


def describe_dropped(coefficients: int) -> tuple[str, ...]:
    """Say which bands are not kept of a file with so many SH coefficients a channel."""
    if coefficients <= SH_COEFFICIENTS[-1]:
        return ()
    return (f"its SH band {MOST_BANDS} is left out, as SOG has {KEPT_BANDS} bands",)
