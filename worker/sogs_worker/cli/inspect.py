"""What a scene file holds: counts, bands, bounds, codebooks and bytes, without judging it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sogs_worker.cli.inputs import opened_scene
from sogs_worker.encode.clean import is_usable
from sogs_worker.formats import read_scene, scene_bytes
from sogs_worker.formats.sog.file import read_meta
from sogs_worker.formats.sog.meta import Meta
from sogs_worker.formats.sog.streamed import is_streamed
from sogs_worker.splats import Floats, Origin

WRITTEN_OUT = 1000
"""Coordinates from here on, of which four digits may not tell one end of a scene from the other."""

SOG_SUFFIXES = (".sog", ".json")


def inspect_scene(text: str) -> dict[str, Any]:
    """Describe a scene of a path or an address; see `inspect_file`."""
    with opened_scene(text) as scene:
        return inspect_file(scene.path) | {"file": scene.uri}


def inspect_file(path: Path) -> dict[str, Any]:
    """Describe a scene file as a JSON object.

    Keys: `file`, `bytes`, `splats`, `shBands`, `model`, `unusable` (splats that nothing can draw), `notes` (sentences
    on what is odd about it), `bounds` of the other splats; for SOG also `codebooks` (least and greatest value of each),
    `files` (bytes of each), and for its version 2 `palette` (entries, null if
    it does not say).

    Raises:
        WorkerError: if it cannot be read.
    """
    splats = read_scene(path)
    usable = is_usable(splats)
    description: dict[str, Any] = {
        "file": str(path),
        "bytes": scene_bytes(path),
        "splats": len(splats),
        "shBands": splats.sh_bands,
        "model": str(splats.model),
        "unusable": int((~usable).sum()),
        "notes": list(splats.notes),
        "bounds": _describe_bounds(splats.positions[usable], splats.origin),
    }
    return description | (
        _describe_bundle(path) if path.suffix.lower() in SOG_SUFFIXES and not is_streamed(path) else {}
    )


def format_description(description: dict[str, Any]) -> str:
    """Write a description for people, a line a fact."""
    lines = [
        f"{description['file']}  {description['bytes']:,} bytes",
        f"splats     {description['splats']:,}, {description['unusable']:,} of them unusable",
        f"SH bands   {description['shBands']}",
        f"model      {description['model']}",
    ]
    if bounds := description["bounds"]:
        lines += [f"{name:<10} {'  '.join(map(_coordinate, bounds[name]))}" for name in ("min", "max")]
    lines += [f"note       {note}" for note in description["notes"]]
    if "files" in description:
        lines += [f"palette    {description['palette']:,} entries"] if description.get("palette") is not None else []
        lines += [
            f"codebook   {name} {low:.4g} to {high:.4g}" for name, (low, high) in description["codebooks"].items()
        ]
        lines += [f"{size:>12,}  {name}" for name, size in description["files"].items()]
    return "\n".join(lines)


def _describe_bounds(positions: Floats, origin: Origin) -> dict[str, list[float]] | None:
    if len(positions) == 0:
        return None
    low, high = (each.astype(np.float64) + origin for each in (positions.min(axis=0), positions.max(axis=0)))
    return {"min": low.tolist(), "max": high.tolist()}


def _coordinate(value: float) -> str:
    """Write four digits, or all before the point and one after it."""
    return f"{value:.4g}" if abs(value) < WRITTEN_OUT else f"{value:.1f}"


def _describe_bundle(path: Path) -> dict[str, Any]:
    meta, sizes_bytes = read_meta(path)
    palette = {"palette": meta.palette.count if meta.palette else 0} if isinstance(meta, Meta) else {}
    return {**palette, "codebooks": meta.ranges, "files": sizes_bytes}
