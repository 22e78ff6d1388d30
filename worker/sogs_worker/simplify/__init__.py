"""Fewer splats that look the same: those that no camera misses are removed, and neighbours become one."""

from sogs_worker.simplify.simplify import Simplification, Simplified, simplify

__all__ = ["Simplification", "Simplified", "simplify"]
