"""What an output is to be, instead of how it is made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeGuard

from sogs_worker.errors import UsageError

PERCENTAGE = re.compile(r"([1-9][0-9]?|100)%")
FIELDS = ("maxSplats", "maxBytes", "minPSNR")
MOST_DB = 100.0
"""More than pictures of 8 bits that differ can have."""


@dataclass(frozen=True)
class Target:
    """A bound that the encoding is adapted to; exactly one.

    Attributes:
        max_splats: most splats that an output has; a number, or a percentage of its scene's such as `50%`.
        max_bytes: most bytes of an output.
        min_psnr: least PSNR of an output's pictures against its scene's, mean over views, dB.
    """

    max_splats: int | str | None = None
    max_bytes: int | None = None
    min_psnr: float | None = None

    @property
    def is_searched(self) -> bool:
        """Whether the number of splats has to be found by trials."""
        return self.max_splats is None

    def count(self, splats: int) -> int:
        """Return how many splats the output of a scene with so many may have, at least one."""
        if self.max_splats is None:
            return splats
        if isinstance(self.max_splats, int):
            return self.max_splats
        return max(1, splats * int(self.max_splats.removesuffix("%")) // 100)

    def to_document(self) -> dict[str, int | float | str]:
        """Return the run document's form."""
        bounds = zip(FIELDS, (self.max_splats, self.max_bytes, self.min_psnr), strict=True)
        return {name: bound for name, bound in bounds if bound is not None}


def parse_target(document: object) -> Target:
    """Parse the run document's `encoder.target`.

    Raises:
        UsageError: names the field, what it may be and what it is.
    """
    if not isinstance(document, dict):
        raise UsageError(f"encoder.target must be an object with one of {', '.join(FIELDS)}, got {document!r}")
    if unknown := sorted(set(document) - set(FIELDS)):
        raise UsageError(f"encoder.target has no field {unknown[0]}; expected one of {', '.join(FIELDS)}")
    if len(document) != 1:
        found = ", ".join(sorted(document)) or "none"
        raise UsageError(f"encoder.target must have exactly one of {', '.join(FIELDS)}, got {found}")
    ((name, bound),) = document.items()
    return PARSERS[name](bound)


def _parse_splats(most: object) -> Target:
    if _is_count(most) or (isinstance(most, str) and PERCENTAGE.fullmatch(most)):
        return Target(max_splats=most)
    raise UsageError(
        f"encoder.target.maxSplats must be an integer of at least 1, or a percentage from 1% to 100%, got {most!r}"
    )


def _parse_bytes(most: object) -> Target:
    if _is_count(most):
        return Target(max_bytes=most)
    raise UsageError(f"encoder.target.maxBytes must be an integer of at least 1, got {most!r}")


def _parse_psnr(least: object) -> Target:
    if isinstance(least, int | float) and not isinstance(least, bool) and 0 < least <= MOST_DB and math.isfinite(least):
        return Target(min_psnr=float(least))
    raise UsageError(f"encoder.target.minPSNR must be a number above 0, at most {MOST_DB:g} dB, got {least!r}")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


PARSERS = dict(zip(FIELDS, (_parse_splats, _parse_bytes, _parse_psnr), strict=True))
