"""Cameras for tests, written down in each form that is read."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sogs_worker.evaluate import View

MODELS = {
    **{"SIMPLE_PINHOLE": (0, 1, 0), "PINHOLE": (1, 2, 0), "SIMPLE_RADIAL": (2, 1, 1), "RADIAL": (3, 1, 2)},
    **{"OPENCV": (4, 2, 4), "OPENCV_FISHEYE": (5, 2, 4), "FULL_OPENCV": (6, 2, 8), "FOV": (7, 2, 1)},
    **{"SIMPLE_RADIAL_FISHEYE": (8, 1, 1), "RADIAL_FISHEYE": (9, 1, 2), "THIN_PRISM_FISHEYE": (10, 2, 8)},
    **{"RAD_TAN_THIN_PRISM_FISHEYE": (11, 2, 12), "SIMPLE_DIVISION": (12, 1, 1), "DIVISION": (13, 2, 1)},
    **{"SIMPLE_FISHEYE": (14, 1, 0), "FISHEYE": (15, 2, 0), "EUCM": (16, 2, 2)},
}
"""COLMAP's number of a model, its focal lengths and what follows the principal point."""


def write_trainers(path: Path, views: Sequence[View]) -> Path:
    """Write a cameras.json as Inria's trainer does, which has no principal point; return it."""
    cameras = []
    for number, view in enumerate(views):
        camera = view.camera
        cameras.append(
            {
                **{"id": number, "img_name": view.name, "width": camera.width, "height": camera.height},
                "position": camera.position.tolist(),
                "rotation": camera.world_to_camera[:3, :3].T.tolist(),
                **{"fx": camera.focal[0], "fy": camera.focal[1]},
            }
        )
    path.write_text(json.dumps(cameras))
    return path


def write_transforms(path: Path, views: Sequence[View], **top: object) -> Path:
    """Write a transforms.json with the intrinsics in each frame, and other fields at its top; return it."""
    path.write_text(json.dumps({**top, "frames": [build_frame(view) for view in views]}))
    return path


def build_frame(view: View) -> dict[str, Any]:
    """Return a frame of a transforms.json."""
    camera = view.camera
    return {
        "file_path": view.name,
        "transform_matrix": opengl_pose(view).tolist(),
        **{"fl_x": camera.focal[0], "fl_y": camera.focal[1], "cx": camera.centre[0], "cy": camera.centre[1]},
        **{"w": camera.width, "h": camera.height},
    }


def opengl_pose(view: View) -> NDArray[np.float64]:
    """Return a camera-to-world matrix of a camera that looks against its z axis, (4, 4)."""
    pose: NDArray[np.float64] = np.linalg.inv(view.camera.world_to_camera)
    pose[:3, 1:3] *= -1
    return pose


def write_colmap(folder: Path, views: Sequence[View], *, points: int = 3, model: str = "PINHOLE") -> Path:
    """Write a model's binary cameras and images, each with points, in the reverse order; return the images."""
    folder.mkdir(parents=True, exist_ok=True)
    number, _, _ = MODELS[model]
    cameras, images = struct.pack("<Q", len(views)), struct.pack("<Q", len(views))
    for key, view in reversed(list(enumerate(views, 7))):
        parameters = colmap_parameters(view, model)
        cameras += struct.pack("<IiQQ", key, number, view.camera.width, view.camera.height)
        cameras += struct.pack(f"<{len(parameters)}d", *parameters)
        images += struct.pack("<I7dI", 100 - key, *colmap_pose(view), key) + view.name.encode() + b"\0"
        images += struct.pack("<Q", points) + b"".join(struct.pack("<ddq", 1.5, -0.0, -1) for _ in range(points))
    (folder / "cameras.bin").write_bytes(cameras)
    (folder / "images.bin").write_bytes(images)
    return folder / "images.bin"


def write_colmap_text(folder: Path, views: Sequence[View], *, points: int = 3, model: str = "PINHOLE") -> Path:
    """Write the same as text; return the images."""
    folder.mkdir(parents=True, exist_ok=True)
    cameras, images = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"], ["# two lines per image", ""]
    for key, view in reversed(list(enumerate(views, 7))):
        parameters = " ".join(map(repr, colmap_parameters(view, model)))
        cameras.append(f"{key} {model} {view.camera.width} {view.camera.height} {parameters}")
        pose = " ".join(map(repr, colmap_pose(view)))
        images += [f"{100 - key} {pose} {key} {view.name}", " ".join(["1.5 -0.0 -1"] * points)]
    (folder / "cameras.txt").write_text("\n".join(cameras))
    (folder / "images.txt").write_text("\n".join(images) + "\n")
    return folder / "images.txt"


def colmap_pose(view: View) -> list[float]:
    """Return a quaternion, w first, and a translation (Shepperd, "Quaternion from rotation matrix", 1978)."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = view.camera.world_to_camera[:3, :3].tolist()
    products = np.array(
        [
            [1 + xx + yy + zz, zy - yz, xz - zx, yx - xy],
            [zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx],
            [xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy],
            [yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz],
        ]
    )
    row = products[np.argmax(np.diag(products))]
    return [*(row / np.linalg.norm(row)).tolist(), *view.camera.world_to_camera[:3, 3].tolist()]


def colmap_parameters(view: View, model: str) -> list[float]:
    """Return a camera's parameters, its distortion 0.125 everywhere."""
    _, focals, others = MODELS[model]
    return [*map(float, (*view.camera.focal[:focals], *view.camera.centre)), *[0.125] * others]
