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
        merged: that became one with others.
        pruned: that rendered views hardly show.
    """

    unusable: int = 0
    invisible: int = 0
    cropped: int = 0
    merged: int = 0
    pruned: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Counts by reason, of those that there were."""
        return {reason: count for reason, count in asdict(self).items() if count}

    def __str__(self) -> str:
        """Say it for people: `3 unusable and 97 cropped splats`."""
        *others, last = [f"{count:,} {reason}" for reason, count in self.counts.items()] or ["no"]
        listed = f"{', '.join(others)} and {last}" if others else last
        return f"{listed} splat{'' if self.total == 1 else 's'}"
