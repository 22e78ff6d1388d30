"""Two scenes compared, wherever they are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sogs_worker.cli.inputs import opened_file, opened_scene
from sogs_worker.evaluate import evaluate_files


def evaluate_scenes(
    reference: str, other: str, *, cameras: str | None, count: int | None, device: str
) -> dict[str, Any]:
    """Compare scenes of paths or addresses; see `evaluate_files`."""
    with (
        nullcontext() if cameras is None else opened_file(cameras) as views,
        opened_scene(reference) as expected,
        opened_scene(other) as got,
    ):
        evaluation = evaluate_files(
            expected.path, got.path, cameras=views.path if views else None, count=count, device=device
        )
    for name, scene in (("reference", expected), ("other", got)):
        evaluation[name]["file"] = scene.uri
    return evaluation
