"""How much a scene's pictures differ from those of another: PSNR and SSIM from the same cameras."""

from sogs_worker.evaluate.comparison import Comparison, ViewScore, compare, draw
from sogs_worker.evaluate.report import Reference, draw_reference, evaluate_files, format_evaluation
from sogs_worker.evaluate.views import ORBIT_VIEWS, View, orbit_views, read_views

__all__ = [
    "ORBIT_VIEWS",
    "Comparison",
    "Reference",
    "View",
    "ViewScore",
    "compare",
    "draw",
    "draw_reference",
    "evaluate_files",
    "format_evaluation",
    "orbit_views",
    "read_views",
]
