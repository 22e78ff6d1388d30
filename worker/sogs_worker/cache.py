"""Which output was made from what: metadata of outputs that spare making the same again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sogs_worker.engines.parameters import Parameters
from sogs_worker.gate import Gate
from sogs_worker.manifest import Output
from sogs_worker.storage.base import StoredObject

CONTENT, VERSION, SPLATS, SOURCE_BYTES, PSNR = "made-from", "made-from-version", "splats", "source-bytes", "psnr"


@dataclass(frozen=True)
class Provenance:
    """What decides an output.

    Attributes:
        content: names the scene's content: a digest; empty if it is not known.
        etag: version of the object that the scene is; None if it is a part of one.
        uri: of that object.
        encoder: the parameters.
    """

    content: str
    etag: str | None
    uri: str
    encoder: Parameters

    def keys(self) -> dict[str, str]:
        """Name what the encoder makes of this content, and of this version of the object, by their metadata."""
        version = None if self.etag is None else f"{self.uri} {self.etag}"
        known = {CONTENT: self.content or None, VERSION: version}
        return {name: self._digest(text) for name, text in known.items() if text is not None}

    def metadata(self, *, splats: int, source_bytes: int, psnr: float | None) -> dict[str, str]:
        """Write down what an output was made from, and what is known of it."""
        measured = {} if psnr is None else {PSNR: f"{psnr:.3f}"}
        return {**self.keys(), SPLATS: str(splats), SOURCE_BYTES: str(source_bytes), **measured}

    def _digest(self, text: str) -> str:
        return hashlib.sha256(
            "\n".join((text, self.encoder.encoder_version, self.encoder.to_json())).encode()
        ).hexdigest()


def kept_output(
    there: StoredObject | None, provenance: Provenance, gate: Gate, *, name: str, uri: str
) -> Output | None:
    """Describe the object that is there if it is what would be made; None if it is not, or if the gate needs a look.

    Args:
        there: the object under the output's key.
        provenance: what the output would be made from.
        gate: bounds.
        name: of the output.
        uri: of the output.

    Raises:
        QualityGateError: what would be made again misses a bound.
    """
    if there is None or there.sha256 is None:
        return None
    metadata = there.metadata
    if not any(metadata.get(field) == key for field, key in provenance.keys().items()):
        return None
    psnr = float(metadata[PSNR]) if PSNR in metadata else None
    if gate.min_psnr is not None and psnr is None:
        return None
    source_bytes = int(metadata[SOURCE_BYTES])
    gate.check(uri, size_bytes=there.size_bytes, source_bytes=source_bytes, psnr=psnr)
    return Output(
        name=name,
        uri=uri,
        sha256=there.sha256,
        bytes=there.size_bytes,
        source_bytes=source_bytes,
        splats=int(metadata[SPLATS]),
        psnr=psnr,
        is_cached=True,
    )
