"""Which output was made from what: metadata of outputs that spare making the same again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.engines.parameters import Parameters
from sogs_worker.naming import beside
from sogs_worker.publish.manifest import Output, OutputFile
from sogs_worker.publish.staged import look_up
from sogs_worker.storage.base import Store
from sogs_worker.task.gate import Gate

CONTENT, VERSION, SPLATS, SOURCE_BYTES, PSNR = "made-from", "made-from-version", "splats", "source-bytes", "psnr"
REMOVED = "removed"
"""How many splats of its scene an output has not, by reason: `invisible=3 merged=97`."""
PLANES = "planes"
"""The planes that belong to an unbundled output's metadata, seven at most: `sh0.webp=<digest>`, with spaces between."""


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

    def metadata(
        self,
        *,
        splats: int,
        removed: Mapping[str, int],
        source_bytes: int,
        psnr: float | None,
        planes: Sequence[OutputFile] = (),
    ) -> dict[str, str]:
        """Write down what an output was made from, and what is known of it, for its target."""
        optional = {
            REMOVED: " ".join(f"{reason}={count}" for reason, count in removed.items()) or None,
            PSNR: None if psnr is None else f"{psnr:.3f}",
            PLANES: " ".join(f"{plane.name}={plane.sha256}" for plane in planes) or None,
        }
        known = {name: value for name, value in optional.items() if value is not None}
        return {**self.keys(), SPLATS: str(splats), SOURCE_BYTES: str(source_bytes), **known}

    def _digest(self, text: str) -> str:
        return hashlib.sha256(
            "\n".join((text, self.encoder.encoder_version, self.encoder.to_json())).encode()
        ).hexdigest()


def kept_output(
    store: Store,
    key: str,
    provenance: Provenance,
    gate: Gate,
    *,
    name: str,
    where: Callable[[str], str] = lambda key: key,
) -> Output | None:
    """Describe the output that is there if it is what would be made; None if it is not, or if the gate needs a look.

    Args:
        store: the destination.
        key: of the output's target.
        provenance: what the output would be made from.
        gate: bounds.
        name: of the output.
        where: gives the key under which to look for what has or is to get a key.

    Raises:
        QualityGateError: what would be made again misses a bound.
    """
    there = look_up(store, where(key))
    if there is None or there.sha256 is None:
        return None
    metadata = there.metadata
    if not any(metadata.get(field) == key for field, key in provenance.keys().items()):
        return None
    psnr = float(metadata[PSNR]) if PSNR in metadata else None
    if gate.min_psnr is not None and psnr is None:
        return None
    planes = find_planes(store, key, metadata.get(PLANES, ""), where)
    if planes is None:
        return None
    size_bytes = there.size_bytes + sum(plane.bytes for plane in planes)
    source_bytes = int(metadata[SOURCE_BYTES])
    gate.check(store.uri(key), size_bytes=size_bytes, source_bytes=source_bytes, psnr=psnr)
    target = OutputFile(PurePosixPath(key).name, there.sha256, there.size_bytes)
    return Output(
        name=name,
        uri=store.uri(key),
        sha256=there.sha256,
        bytes=size_bytes,
        source_bytes=source_bytes,
        splats=int(metadata[SPLATS]),
        removed={reason: int(count) for reason, count in _pairs(metadata.get(REMOVED, ""))},
        psnr=psnr,
        is_cached=True,
        files=(*planes, target) if planes else (),
    )


def find_planes(store: Store, target: str, written_down: str, where: Callable[[str], str]) -> list[OutputFile] | None:
    """Describe the planes beside a target, as they were written down with it; None if one is missing or another."""
    planes = []
    for name, sha256 in _pairs(written_down):
        there = look_up(store, where(beside(target, name)))
        if there is None or there.sha256 != sha256:
            return None
        planes.append(OutputFile(name, sha256, there.size_bytes))
    return planes


def _pairs(written_down: str) -> Iterator[tuple[str, str]]:
    for word in written_down.split():
        name, _, value = word.partition("=")
        yield name, value
