"""One scene with fewer splats, as PLY: `python -m benchmarks.simplify_clock SCENE OUT PERCENT`."""

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
from sogs_worker.simplify import simplify
from sogs_worker.splats import ARRAYS


def main(scene: str, out: str, percent: str) -> None:
    """Simplify a scene, on a GPU where there is one, and write it."""
    splats = read_scene(Path(scene))
    cloud = clean(upload(splats, resolve_device("auto"))).cloud
    done = simplify(cloud, Target(f"{percent}%").count(len(splats)))
    arrays: dict[str, Any] = {name: getattr(done.cloud, name).cpu().numpy() for name in ARRAYS}
    write_ply(Path(out), replace(splats, **arrays))


if __name__ == "__main__":
    main(*sys.argv[1:])
