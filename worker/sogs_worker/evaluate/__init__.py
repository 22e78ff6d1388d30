"""How much a scene's pictures differ from those of another: PSNR and SSIM from the same cameras."""

from sogs_worker.evaluate.cameras import read_views, sample_views
from sogs_worker.evaluate.comparison import Comparison, ViewScore, compare, draw
from sogs_worker.evaluate.report import Reference, draw_reference, evaluate_files, format_evaluation
from sogs_worker.evaluate.sight import check_sight
from sogs_worker.evaluate.views import View, orbit_views, standard_views

__all__ = [
    "Comparison",
    "Reference",
    "View",
    "ViewScore",
    "check_sight",
    "compare",
    "draw",
    "draw_reference",
    "evaluate_files",
    "format_evaluation",
    "orbit_views",
    "read_views",
    "sample_views",
    "standard_views",
]
