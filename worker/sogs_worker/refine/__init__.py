"""Fits splats to pictures of another scene, on CUDA."""

from sogs_worker.refine.optimizer import Rates, SharedHarmonics
from sogs_worker.refine.refine import COLOURS, SHAPES, Effort, Refinery

__all__ = ["COLOURS", "SHAPES", "Effort", "Rates", "Refinery", "SharedHarmonics"]
