"""The summary of a job, real_sogs_compression_summary.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sogs_worker.engines.parameters import Parameters
from sogs_worker.errors import WorkerError

FILE_NAME = "real_sogs_compression_summary.json"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Compressed:
    """A scene that was compressed.

    Attributes:
        output_files: what was written, relative to the output folder: its bundle, or its meta.json and planes.
        source_bytes, bytes: length of the scene, unpacked, and of these files.
        splats: of the output.
        seconds: what it took.
    """

    output_files: tuple[str, ...]
    source_bytes: int
    bytes: int
    splats: int
    seconds: float


@dataclass(frozen=True)
class Processed:
    """An input, relative to the input folder, and its output, if there is one."""

    input_file: str
    made: Compressed | None


def build_summary(
    items: Sequence[Processed],
    faults: Sequence[WorkerError],
    *,
    parameters: Parameters,
    device: str,
    job_name: str | None,
) -> dict[str, Any]:
    """Describe a job as a JSON object.

    Args:
        items: the inputs; the index of each is that of its folder and of its key in `compression_stats`.
        faults: of all inputs, archives without any scene included.
        parameters: of the encoder.
        device: `cpu` or `cuda`, the one that was used.
        job_name: the service's name for the job; None outside of it.
    """
    made = {index: item.made for index, item in enumerate(items) if item.made}
    source_bytes = sum(each.source_bytes for each in made.values())
    output_bytes = sum(each.bytes for each in made.values())
    return {
        "method": f"sogs-worker, {parameters.engine} engine on {'CUDA' if device == 'cuda' else 'CPU'}",
        "algorithm": f"SOG ({parameters.encoder_version})",
        "gpu_accelerated": device == "cuda",
        "job_name": job_name,
        "encoder": parameters.to_document(),
        "input_files": [item.input_file for item in items],
        "output_files": [file for each in made.values() for file in each.output_files],
        "compression_stats": {f"file_{index}": _build_stats(each) for index, each in made.items()},
        "failures": [{"reason": fault.reason, "message": str(fault)} for fault in faults],
        "total_original_mb": source_bytes / MEGABYTE,
        "total_compressed_mb": output_bytes / MEGABYTE,
        "overall_compression_ratio": _ratio(source_bytes, output_bytes),
    }


def _build_stats(made: Compressed) -> dict[str, Any]:
    return {
        "original_size_mb": made.source_bytes / MEGABYTE,
        "compressed_size_mb": made.bytes / MEGABYTE,
        "compression_ratio": _ratio(made.source_bytes, made.bytes),
        "output_files": list(made.output_files),
        "splats": made.splats,
        "seconds": round(made.seconds, 2),
    }


def _ratio(source_bytes: int, output_bytes: int) -> float:
    """Return how many bytes one byte of output stands for; 0 if there is no output."""
    return round(source_bytes / output_bytes, 3) if output_bytes else 0.0
