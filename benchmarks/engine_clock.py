"""One engine on one scene, with a clock: `python -m benchmarks.engine_clock ENGINE IN.ply OUT.sog`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path


class Clock:
    """Adds up the seconds of each stage."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._now = now
        self._since = now()

    def lap(self, stage: str) -> None:
        """Count the time since the last lap for a stage."""
        now = self._now()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now


def native_stage(fraction: float, *, has_palette: bool = True) -> str:
    """Name what ended when the native engine told of a fraction."""
    from sogs_worker.engines.quantizing import TRAINED, WEIGHED, WEIGHED_ALONE

    if fraction <= (WEIGHED if has_palette else WEIGHED_ALONE):
        return "sort"
    return "palette" if fraction <= TRAINED else "rest"


def sogs_stage(fraction: float) -> str:
    """Name what ended when the engine sogs told of a fraction."""
    from sogs_worker.engines.sogs.process import SHARES

    ended = next((name for name, share in SHARES.items() if share == fraction), "")
    return {"means_l.webp": "sort", "shN_centroids.webp": "palette"}.get(ended, "rest")


def main(arguments: Sequence[str]) -> None:
    """Encode, and print one JSON object: seconds by stage, and how many splats were dropped."""
    engine, source, target = arguments
    from sogs_worker.engines import choose_engine
    from sogs_worker.engines.parameters import Parameters
    from sogs_worker.formats import read_scene
    from sogs_worker.formats.sog.file import write_sog
    from sogs_worker.scenes.accelerator import load_encoder

    parameters = Parameters(engine=engine)
    device = load_encoder("auto", parameters)
    encode = choose_engine(parameters)
    clock = Clock()
    splats = read_scene(Path(source))
    clock.lap("read")
    native = partial(native_stage, has_palette=splats.shn.shape[1] > 0)
    stage_of = native if engine == "native" else sogs_stage
    scene = encode(
        splats, parameters=parameters, device=device, progress=lambda _stage, fraction: clock.lap(stage_of(fraction))
    )
    clock.lap("rest")
    write_sog(Path(target), scene)
    clock.lap("write")
    print(json.dumps({"seconds": clock.seconds, "dropped": scene.dropped.total}))


if __name__ == "__main__":
    main(sys.argv[1:])
