"""What an output is to be, instead of how it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sogs_worker.errors import UsageError

PERCENTAGE = re.compile(r"([1-9][0-9]?|100)%")


@dataclass(frozen=True)
class Target:
    """A bound that the encoding is adapted to.

    Attributes:
        max_splats: most splats that an output has; a number, or a percentage of its scene's such as `50%`.
    """

    max_splats: int | str

    def count(self, splats: int) -> int:
        """Return how many splats the output of a scene with so many may have, at least one."""
        if isinstance(self.max_splats, int):
            return self.max_splats
        return max(1, splats * int(self.max_splats.removesuffix("%")) // 100)

    def to_document(self) -> dict[str, int | str]:
        """Return the run document's form."""
        return {"maxSplats": self.max_splats}


def parse_target(document: object) -> Target:
    """Parse the run document's `encoder.target`.

    Raises:
        UsageError: names the field, what it may be and what it is.
    """
    if not isinstance(document, dict):
        raise UsageError(f"encoder.target must be an object with maxSplats, got {document!r}")
    unknown = sorted(set(document) - {"maxSplats"})
    if unknown:
        raise UsageError(f"encoder.target has no field {unknown[0]}; expected maxSplats")
    most = document.get("maxSplats")
    if isinstance(most, int) and not isinstance(most, bool) and most >= 1:
        return Target(most)
    if isinstance(most, str) and PERCENTAGE.fullmatch(most):
        return Target(most)
    raise UsageError(
        f"encoder.target.maxSplats must be an integer of at least 1, or a percentage from 1% to 100%, got {most!r}"
    )
