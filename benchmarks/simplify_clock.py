"""One scene with fewer splats, as PLY: `python -m benchmarks.simplify_clock SCENE OUT PERCENT [STEPS]`.

Where there are steps, on a GPU, the splats are then fitted to pictures of the scene.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sogs_worker.encode.clean import clean
from sogs_worker.encode.cloud import upload
from sogs_worker.engines.device import resolve_device
from sogs_worker.engines.target import Target
from sogs_worker.formats import read_scene
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.refine import SHAPES, Refinery
from sogs_worker.simplify import simplify
from sogs_worker.splats import ARRAYS


def main(scene: str, out: str, percent: str, steps: str = "0") -> None:
    """Simplify a scene, on a GPU where there is one, and write it."""
    splats = read_scene(Path(scene))
    cloud = clean(upload(splats, resolve_device("auto"))).cloud
    simplified = simplify(cloud, Target(f"{percent}%").count(len(splats)))
    fewer = simplified.cloud
    if int(steps):
        effort = replace(SHAPES, steps=int(steps))
        fewer = Refinery(cloud, seed=0).refine(fewer, effort, unchanged=simplified.unchanged)
    arrays: dict[str, Any] = {name: getattr(fewer, name).cpu().numpy() for name in ARRAYS}
    write_ply(Path(out), replace(splats, **arrays))


if __name__ == "__main__":
    main(*sys.argv[1:])
