"""The cameras that a file names: ours, a trainer's, nerfstudio's or COLMAP's."""

from sogs_worker.evaluate.cameras.choice import find_view, sample_views
from sogs_worker.evaluate.cameras.files import read_views

__all__ = ["find_view", "read_views", "sample_views"]
