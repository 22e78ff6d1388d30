"""Splats that a scene had and its output has not."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Dropped:
    """How many splats an engine left out, and why.

    Attributes:
        unusable: with a value that is NaN or infinite, or nothing but zeros.
        invisible: that nobody could see.
        cropped: the least opaque ones, beyond the largest square of splats.
    """

    unusable: int = 0
    invisible: int = 0
    cropped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.unusable + self.invisible + self.cropped

    def __str__(self) -> str:
        """Say it for people: `3 unusable and 97 cropped splats`."""
        counts = [f"{count:,} {reason}" for reason, count in asdict(self).items() if count]
        return f"{' and '.join(counts) or 'no'} splat{'' if self.total == 1 else 's'}"
