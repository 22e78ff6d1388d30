"""The original SOGS pipeline as an engine: PLAS sort, torchpq's k-means, packed quaternions, WebP; CUDA only.

The packages run as they are, a process a scene. What they cannot take, or leave behind, is met before and after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from sogs_worker.encode.clean import drop_unusable
from sogs_worker.encode.dropped import Dropped
from sogs_worker.engines.parameters import Parameters
from sogs_worker.engines.sogs.process import run_original
from sogs_worker.engines.sogs.squares import count_cropped, fill_square, keep_texels
from sogs_worker.formats.sog.layout import EncodedScene
from sogs_worker.formats.sog.upgrade import upgrade
from sogs_worker.splats import Splats


def encode(
    splats: Splats,
    *,
    parameters: Parameters,
    device: str,
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
) -> EncodedScene:
    """Encode a scene.

    The seed decides all but the palette, whose sums on a GPU depend on the order in which its threads come.

    Args:
        splats: the scene; not changed.
        parameters: the format, the SH bands and the seed; the original has no levels of quality.
        device: `cuda`; `require_engine` has looked for it and for the packages.
        progress: told the stage, `encode`, and the fraction of it that is done.

    Raises:
        NoGPUError: a package fails to load.
        BadInputError: no splat of the scene is usable.
        WorkerError: the original failed.
    """
    progress("encode", 0.0)
    usable, unusable = drop_unusable(splats.with_sh_bands(parameters.sh_bands))
    del splats
    square = fill_square(usable)
    if device == "cuda":  # what was drawn and encoded before is kept for later, and the process needs the memory now
        torch.cuda.empty_cache()
    scene, copies = run_original(
        square, count=len(usable), device=device, seed=parameters.seed, progress=lambda done: progress("encode", done)
    )
    if copies.any():
        scene = keep_texels(scene, ~copies)
    scene = replace(scene, dropped=Dropped(unusable=unusable, cropped=count_cropped(len(square))))
    if parameters.format != "sogs-v1":
        scene = upgrade(scene, device=device, model=usable.model)
    progress("encode", 1.0)
    return scene
