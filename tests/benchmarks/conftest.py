"""The benchmark is a package of the repository's root, which is not on the path of the tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.results import Row
from benchmarks.scenes import Scene, open_scene

from s3_server import S3Server, running_server
from sogs_worker.formats.ply.file import write_ply
from splat_builders import build_splats, replace


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tensors of tests are so small that a second thread only waits."""
    torch.set_num_threads(1)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """Run a server that the SDK finds in the environment."""
    (tmp_path / "server").mkdir()
    with running_server(tmp_path / "server") as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", running.admin.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", running.admin.secret_key)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        yield running


@pytest.fixture
def write_columns() -> Callable[..., Path]:
    """Give a function that writes (N, P) values as a PLY of float32."""

    def write(path: Path, rows: np.ndarray, names: tuple[str, ...] = ("x", "y", "z", "opacity")) -> Path:
        lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
        lines += [*(f"property float {name}" for name in names), "end_header\n"]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes("\n".join(lines).encode() + rows.astype("<f4").tobytes())
        return path

    return write


@pytest.fixture
def build_row() -> Callable[..., Row]:
    """Give a function that builds a row of a scene of 1,000 splats; the family is the encoder's first word."""

    def build(encoder: str = "ours balanced", **fields: Any) -> Row:
        defaults = {"scene": "knot", "splats": 1000, "source_bytes": 248_000, "cameras": False, "version": "1.0"}
        return Row(**{**defaults, "encoder": encoder, "family": encoder.split()[0], **fields})

    return build


@pytest.fixture
def scene(tmp_path: Path, write_columns: Callable[..., Path]) -> Scene:
    """Give a scene of 8 splats in a folder that names it, with cameras beside it."""
    path = write_columns(tmp_path / "garden" / "scene.ply", np.arange(32).reshape(8, 4))
    path.with_name("cameras.json").write_text("[]")
    return open_scene(path)


@pytest.fixture
def drawable_scene(tmp_path: Path) -> Scene:
    """Give a scene of 600 splats, the first of them invisible, with a small camera beside it."""
    splats = build_splats(600)
    opacities = splats.opacities.copy()
    opacities[0] = -9
    path = tmp_path / "cloud" / "scene.ply"
    path.parent.mkdir()
    write_ply(path, replace(splats, opacities=opacities))
    camera = {
        "world_to_camera": np.eye(4).tolist(),
        "K": [[48, 0, 24], [0, 48, 24], [0, 0, 1]],
        "width": 48,
        "height": 48,
    }
    camera["world_to_camera"][2][3] = 12
    path.with_name("cameras.json").write_text(json.dumps([camera]))
    return open_scene(path)
