"""Pictures of a scene: the reference way of drawing Gaussian splats, for previews, on the CPU or a GPU."""

from sogs_worker.render.camera import Camera, orbit_camera
from sogs_worker.render.picture import preview_png, render

__all__ = ["Camera", "orbit_camera", "preview_png", "render"]
