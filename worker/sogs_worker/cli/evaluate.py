"""Two scenes compared, wherever they are."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from sogs_worker.cli.inputs import opened_cameras, opened_scene
from sogs_worker.cli.streams import require_one_stream
from sogs_worker.evaluate import evaluate_files


def evaluate_scenes(
    reference: str, other: str, *, cameras: str | None, count: int | None, device: str
) -> dict[str, Any]:
    """Compare scenes of paths, addresses or standard input; see `evaluate_files`."""
    require_one_stream([reference, other, *([cameras] if cameras else [])])
    with (
        nullcontext() if cameras is None else opened_cameras(cameras) as views,
        opened_scene(reference) as expected,
        opened_scene(other) as got,
    ):
        evaluation = evaluate_files(
            expected.path, got.path, cameras=views.path if views else None, count=count, device=device
        )
    for name, scene in (("reference", expected), ("other", got)):
        evaluation[name]["file"] = scene.uri
    return evaluation
