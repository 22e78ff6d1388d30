"""What a run has made or removed: the termination message, and the manifest, which is the same but for its length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from sogs_worker.engines.parameters import Parameters

VERSION = 1

IDENTICAL_PSNR = 100.0
"""Written for an infinite PSNR, which JSON does not have: pictures of 8 bits that differ have less."""


@dataclass(frozen=True)
class OutputFile:
    """One of the files of an output: its name, the hexadecimal digest of its content, and its length."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Trial:
    """An encoding that was tried for a target: its splats, its bytes, and its PSNR, dB, if that was measured."""

    splats: int
    bytes: int
    psnr: float | None = None

    def to_document(self) -> dict[str, int | float]:
        """Write it down for the manifest."""
        known = {} if self.psnr is None else {"psnr": round(min(self.psnr, IDENTICAL_PSNR), 2)}
        return {"splats": self.splats, "bytes": self.bytes, **known}


@dataclass(frozen=True)
class Output:
    """One published output.

    Attributes:
        name: of the scene.
        uri: of the target: the bundle, or the meta.json of an unbundled output.
        sha256: hexadecimal digest of the target.
        bytes: length of all its files.
        source_bytes: length of the scene it came from.
        splats: how many it has.
        preview_uri: of its picture; None without one.
        psnr: dB, mean over views of the decoded output against its scene, infinite if they look the same; None if it
            was not measured.
        is_cached: whether it was there before this run.
        files: of an unbundled output, the target last; none of a bundle.
        removed: how many of its scene's splats it does not have, by reason; see `Dropped`.
        trials: encodings that were tried for a target, in their order.
    """

    name: str
    uri: str
    sha256: str
    bytes: int
    source_bytes: int
    splats: int
    preview_uri: str | None = None
    psnr: float | None = None
    is_cached: bool = False
    files: tuple[OutputFile, ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()

    @property
    def path(self) -> PurePosixPath:
        """The name as the path that it is, relative to the destination."""
        return PurePosixPath(self.name)

    @property
    def ratio(self) -> float:
        """How many times smaller than its scene it is, rounded."""
        return round(self.source_bytes / self.bytes, 2)

    @property
    def rounded_psnr(self) -> float | None:
        """The PSNR for JSON, which has no infinity."""
        return self.psnr and round(min(self.psnr, IDENTICAL_PSNR), 2)

    def to_document(self) -> dict[str, Any]:
        """Write it down as docs/job.md has it, without its files."""
        optional = {
            "psnr": self.rounded_psnr,
            "previewUri": self.preview_uri,
            "cached": self.is_cached or None,
        }
        return {
            "name": self.name,
            "uri": self.uri,
            "sha256": self.sha256,
            "bytes": self.bytes,
            "sourceBytes": self.source_bytes,
            "splats": self.splats,
            "ratio": self.ratio,
            **{name: value for name, value in optional.items() if value is not None},
        }

    def to_entry(self) -> dict[str, Any]:
        """Write it down for the manifest, which has room for the files, for what was removed and what was tried."""
        return {
            **self.to_document(),
            **({"removed": dict(self.removed)} if self.removed else {}),
            **({"trials": [trial.to_document() for trial in self.trials]} if self.trials else {}),
            **({"files": [asdict(file) for file in self.files]} if self.files else {}),
        }

    @staticmethod
    def from_entry(document: Mapping[str, Any]) -> Output:
        """Read what `to_entry` has written."""
        return Output(
            name=document["name"],
            uri=document["uri"],
            sha256=document["sha256"],
            bytes=document["bytes"],
            source_bytes=document["sourceBytes"],
            splats=document["splats"],
            removed=document.get("removed", {}),
            trials=tuple(Trial(**fields) for fields in document.get("trials", [])),
            preview_uri=document.get("previewUri"),
            psnr=document.get("psnr"),
            is_cached=document.get("cached", False),
            files=tuple(OutputFile(**fields) for fields in document.get("files", [])),
        )


@dataclass(frozen=True)
class Result:
    """One successful run.

    Attributes:
        outputs: all of them.
        manifest_uri: of the manifest.
        seconds: how long it took.
        gpu_seconds: how long it held a GPU; 0 on the CPU.
        device: product name of the GPU, or `cpu`.
        encoder: what decided the outputs.
        sheet_uri: of the contact sheet; None without one.
    """

    outputs: tuple[Output, ...]
    manifest_uri: str
    seconds: float
    gpu_seconds: float
    device: str
    encoder: Parameters
    sheet_uri: str | None = None

    def to_message(self, outputs: int | None = None) -> dict[str, Any]:
        """Write the termination message down with the first `outputs` only (None: all); totals are always of all."""
        removed: Counter[str] = sum((Counter(output.removed) for output in self.outputs), Counter())
        return {
            "version": VERSION,
            "outputs": [output.to_document() for output in self.outputs[:outputs]],
            "manifestUri": self.manifest_uri,
            **({"contactSheetUri": self.sheet_uri} if self.sheet_uri else {}),
            "inputBytes": sum(output.source_bytes for output in self.outputs),
            "outputBytes": sum(output.bytes for output in self.outputs),
            "splats": sum(output.splats for output in self.outputs),
            **({"removed": dict(removed)} if removed else {}),
            "seconds": round(self.seconds, 2),
            "gpuSeconds": round(self.gpu_seconds, 2),
            "scenes": len(self.outputs),
            "cacheHits": sum(output.is_cached for output in self.outputs),
            "engine": self.encoder.engine,
            "device": self.device,
        }

    @staticmethod
    def from_manifest(manifest: Mapping[str, Any], encoder: Parameters) -> Result:
        """Read the manifest of an earlier attempt with these parameters."""
        return Result(
            outputs=tuple(Output.from_entry(document) for document in manifest["outputs"]),
            manifest_uri=manifest["manifestUri"],
            seconds=manifest["seconds"],
            gpu_seconds=manifest["gpuSeconds"],
            device=manifest["device"],
            encoder=encoder,
            sheet_uri=manifest.get("contactSheetUri"),
        )

    def to_manifest(self) -> dict[str, Any]:
        """Write the manifest down."""
        return {
            **self.to_message(),
            "outputs": [output.to_entry() for output in self.outputs],
            "encoder": self.encoder.to_document(),
            "encoderVersion": self.encoder.encoder_version,
        }


@dataclass(frozen=True)
class Deleted:
    """What a run has removed.

    Attributes:
        objects: that were visible and are gone.
        kept: outputs that stay, because another resource has made them or somebody has written over them.
    """

    objects: int
    kept: int

    def to_message(self) -> dict[str, Any]:
        """Write the termination message down."""
        return {"version": VERSION, "deleted": self.objects, "kept": self.kept}
