"""The quality gate: what an output must be for anybody to see it."""

from __future__ import annotations

from dataclasses import dataclass

from sogs_worker.errors import QualityGateError


@dataclass(frozen=True)
class Gate:
    """Bounds; None: none.

    Attributes:
        min_psnr: dB, mean over views of the decoded scene against its source.
        max_size_bytes: of a bundle.
        min_ratio: bytes of the source to those of the bundle.
    """

    min_psnr: float | None = None
    max_size_bytes: int | None = None
    min_ratio: float | None = None

    def check(self, uri: str, *, size_bytes: int, source_bytes: int, psnr: float | None) -> None:
        """Refuse an output that misses a bound.

        Args:
            uri: where the output would go.
            size_bytes: of the output.
            source_bytes: of its scene.
            psnr: dB, infinite for identical pictures; None if it was not measured, which `min_psnr` then needs.

        Raises:
            QualityGateError: names the bound and what the output has.
        """
        ratio = source_bytes / size_bytes
        if self.max_size_bytes is not None and size_bytes > self.max_size_bytes:
            raise refusal(uri, f"has {size_bytes:,} bytes, spec.gate.maxSizeBytes is {self.max_size_bytes:,}")
        if self.min_ratio is not None and ratio < self.min_ratio:
            raise refusal(uri, f"has the ratio {ratio:.2f}, spec.gate.minRatio is {self.min_ratio:g}")
        if self.min_psnr is not None and (psnr is None or psnr < self.min_psnr):
            measured = "no PSNR" if psnr is None else f"a PSNR of {psnr:.2f} dB"
            raise refusal(uri, f"has {measured}, spec.gate.minPSNR is {self.min_psnr:g} dB")


def refusal(uri: str, fault: str) -> QualityGateError:
    """Say that nothing is published."""
    return QualityGateError(
        f"{uri} would miss the gate: it {fault}; nothing was published, so choose another spec.encoder.quality or bound"
    )
