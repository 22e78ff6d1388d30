"""The project's own encoder: SOG version 2 in torch and NumPy, on the CPU or a GPU, with a seed."""

from __future__ import annotations

from collections.abc import Callable

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.encode.codebook import build_codebook
from sogs_worker.encode.order import hilbert_order
from sogs_worker.encode.palette import Effort, build_palette
from sogs_worker.encode.quantize import nearest_entries, quantize_opacities, quantize_positions
from sogs_worker.encode.quantized import Coded, QuantizedSplats
from sogs_worker.encode.rotation import pack_rotations
from sogs_worker.encode.visibility import axis_visibility
from sogs_worker.engines.parameters import Parameters
from sogs_worker.formats.sog import EncodedScene, lay_out
from sogs_worker.formats.webp import WebpEffort
from sogs_worker.splats import Floats, Splats

Progress = Callable[[str, float], None]

PALETTES = {
    "fast": Effort(splats_per_entry=16, iterations=3, probes=6, final_probes=12),
    "balanced": Effort(splats_per_entry=8, iterations=6, probes=12, final_probes=32),
    "best": Effort(splats_per_entry=4, iterations=10, probes=16, final_probes=64),
}

IMAGES = {
    "fast": WebpEffort(method=1, quality=20),
    "balanced": WebpEffort(method=4, quality=75),
    "best": WebpEffort(method=6, quality=100),
}

BEFORE_PALETTE = 0.2
"""Share of an encoding's time that is over when the palette begins."""


def encode(
    splats: Splats, *, parameters: Parameters, device: str, progress: Progress = lambda _stage, _fraction: None
) -> EncodedScene:
    """Encode a scene. The same scene, parameters, device and machine give the same bytes.

    Args:
        splats: the scene; not changed.
        parameters: engine and format are not looked at.
        device: `cpu` or `cuda`.
        progress: told the stage, `encode`, and the fraction of it that is done.

    Raises:
        BadInputError: if no splat of the scene is usable.
    """
    progress("encode", 0.0)
    usable, dropped = drop_unusable(splats.with_sh_bands(parameters.sh_bands))
    ordered = usable.take(hilbert_order(usable.positions))
    scales = _code(ordered.scales, axis_visibility(ordered))
    sh0 = _code(ordered.sh0)
    progress("encode", BEFORE_PALETTE)
    palette = None
    if ordered.sh_bands:
        palette = build_palette(
            ordered,
            effort=PALETTES[parameters.quality],
            device=device,
            seed=parameters.seed,
            progress=lambda done: progress("encode", BEFORE_PALETTE + (1 - BEFORE_PALETTE) * done),
        )
    quantized = QuantizedSplats(
        means=quantize_positions(ordered.positions),
        rotations=pack_rotations(ordered.rotations),
        scales=scales,
        sh0=sh0,
        alphas=quantize_opacities(ordered.opacities),
        palette=palette,
    )
    progress("encode", 1.0)
    return lay_out(quantized, dropped=dropped, effort=IMAGES[parameters.quality])


def _code(values: Floats, weights: Floats | None = None) -> Coded:
    codebook = build_codebook(values, weights)
    return Coded(nearest_entries(values, codebook), codebook)
