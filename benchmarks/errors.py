"""What ends a benchmark, in one sentence for its reader. A peer that fails ends nothing: it is a row."""

from __future__ import annotations


class BenchmarkError(Exception):
    """The benchmark cannot be run as asked."""
