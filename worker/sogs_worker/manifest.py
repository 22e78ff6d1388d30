"""What a run has made: the termination message and the manifest, which are the same but for their length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sogs_worker.engines.parameters import ENCODER_VERSION, Parameters

VERSION = 1


@dataclass(frozen=True)
class Output:
    """One published bundle.

    Attributes:
        name: of the scene.
        uri: of the bundle.
        sha256: hexadecimal digest of the bundle.
        bytes: length of the bundle.
        source_bytes: length of the scene it came from.
        splats: how many it has.
        preview_uri: of its picture; None without one.
    """

    name: str
    uri: str
    sha256: str
    bytes: int
    source_bytes: int
    splats: int
    preview_uri: str | None = None

    def to_document(self) -> dict[str, Any]:
        """Write it down as docs/job.md has it."""
        preview = {"previewUri": self.preview_uri} if self.preview_uri else {}
        return {
            "name": self.name,
            "uri": self.uri,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "sourceBytes": self.source_bytes,
            "splats": self.splats,
            "ratio": round(self.source_bytes / self.bytes, 2),
            **preview,
        }


@dataclass(frozen=True)
class Result:
    """One successful run.

    Attributes:
        outputs: all of them.
        manifest_uri: of the manifest.
        seconds: how long it took.
        gpu_seconds: how long it held a GPU; 0 on the CPU.
        device: `cpu` or `cuda`.
        encoder: what decided the outputs.
    """

    outputs: tuple[Output, ...]
    manifest_uri: str
    seconds: float
    gpu_seconds: float
    device: str
    encoder: Parameters

    def to_message(self, outputs: int | None = None) -> dict[str, Any]:
        """Write the termination message down with the first `outputs` only (None: all); totals are always of all."""
        return {
            "version": VERSION,
            "outputs": [output.to_document() for output in self.outputs[:outputs]],
            "manifestUri": self.manifest_uri,
            "inputBytes": sum(output.source_bytes for output in self.outputs),
            "outputBytes": sum(output.bytes for output in self.outputs),
            "splats": sum(output.splats for output in self.outputs),
            "seconds": round(self.seconds, 2),
            "gpuSeconds": round(self.gpu_seconds, 2),
            "engine": self.encoder.engine,
            "device": self.device,
        }

    def to_manifest(self) -> dict[str, Any]:
        """Write the manifest down."""
        return {**self.to_message(), "encoder": self.encoder.to_document(), "encoderVersion": ENCODER_VERSION}
