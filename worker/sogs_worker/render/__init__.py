"""Pictures of a scene: Gaussian splats drawn in torch, for previews and measurements, on the CPU or a GPU."""

from sogs_worker.render.camera import Camera
from sogs_worker.render.framing import orbit_camera
from sogs_worker.render.picture import preview_png, render
from sogs_worker.render.scene import Scene, load_scene

__all__ = ["Camera", "Scene", "load_scene", "orbit_camera", "preview_png", "render"]
