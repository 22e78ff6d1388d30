"""From the parts of a run to one manifest, and back to the part of one pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sogs_worker.engines.parameters import Parameters
from sogs_worker.publish.manifest import Output, Result
from sogs_worker.shards.plan import Plan


def in_order(plan: Plan, parts: Sequence[Result]) -> list[tuple[int, Output]]:
    """Return the outputs of all parts, each with its shard, in the order in which one pod would have made them.

    Raises:
        KeyError: an output is of no object of the plan.
    """
    made = [(shard, output) for shard, part in enumerate(parts) for output in part.outputs]
    return sorted(made, key=lambda each: plan.place(each[1].path))


def merge(made: Sequence[tuple[int, Output]], parts: Sequence[Result], sheet_uri: str | None) -> dict[str, Any]:
    """Write the manifest of all down.

    Args:
        made: see `in_order`.
        parts: of all shards.
        sheet_uri: of the contact sheet; None without one.
    """
    merged = Result(
        outputs=tuple(output for _, output in made),
        manifest_uri=parts[0].manifest_uri,
        seconds=max(part.seconds for part in parts),
        gpu_seconds=sum(part.gpu_seconds for part in parts),
        device=join_devices(parts),
        encoder=parts[0].encoder,
        sheet_uri=sheet_uri,
    )
    return {
        **merged.to_manifest(),
        "outputs": [{**output.to_entry(), "shard": shard} for shard, output in made],
        "shards": [{"seconds": part.seconds, "gpuSeconds": part.gpu_seconds, "device": part.device} for part in parts],
    }


def part_of(manifest: Mapping[str, Any], index: int, encoder: Parameters) -> Result:
    """Read from a merged manifest what the pod of one shard has made."""
    merged, own = Result.from_manifest(manifest, encoder), manifest["shards"][index]
    shards = [entry["shard"] for entry in manifest["outputs"]]
    return replace(
        merged,
        outputs=tuple(output for output, shard in zip(merged.outputs, shards, strict=True) if shard == index),
        seconds=own["seconds"],
        gpu_seconds=own["gpuSeconds"],
        device=own["device"],
    )


def join_devices(parts: Sequence[Result]) -> str:
    """Name the devices of the parts that had something to encode, that of the first part if none had."""
    worked = [part.device for part in parts if not all(output.is_cached for output in part.outputs)]
    return ", ".join(dict.fromkeys(worked)) or parts[0].device
