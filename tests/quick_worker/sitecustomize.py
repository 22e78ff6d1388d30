"""Python runs this first in pods of tests that are about the operator: the real worker without its encoder.

Loading torch and encoding are most of a small run's time. Here an output is a line that tells scenes apart, and a
scene with the comment `endless` is never done with. All else is the image's own: reading, publishing, progress and the
termination message. `tests/sogs_worker/job/test_quick_worker.py` holds it to what the real one writes.
"""

from __future__ import annotations

import hashlib
import re
import sys
import threading
from pathlib import Path
from typing import Any

PICTURE = b"\x89PNG\r\n\x1a\n"
VERTICES = re.compile(rb"^element vertex (\d+)$", re.MULTILINE)
ENDLESS = b"\ncomment endless\n"


def replace_encoder() -> None:
    """Put two functions in the place of those that load torch and that encode a scene."""
    from sogs_worker.scenes import accelerator, make

    accelerator.load_torch = lambda _device: "cpu"
    make.produce = produce


def produce(scene: Any, recipe: Any, *, device: str, uri: str, folder: Path, progress: Any) -> Any:  # noqa: ARG001
    """Make a bundle's place-holder; see `sogs_worker.scenes.make.produce`."""
    from sogs_worker.encode.dropped import Dropped
    from sogs_worker.naming import name_target
    from sogs_worker.scenes.make import Product

    progress("encode", 0.5)
    content = scene.path.read_bytes()
    if ENDLESS in content:
        threading.Event().wait()
    target = name_target(folder / "scene", recipe.encoder.format)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(f"{hashlib.sha256(content).hexdigest()} {recipe.encoder}\n")
    recipe.gate.check(uri, size_bytes=target.stat().st_size, source_bytes=len(content), psnr=None)
    picture = folder / "preview.png" if recipe.preview else None
    if picture:
        picture.write_bytes(PICTURE)
    splats = int(VERTICES.findall(content)[0])
    return Product(folder, (), target, picture, len(content), splats, Dropped(), None)


if sys.orig_argv[1:3] == ["-m", "sogs_worker.job.process"]:
    replace_encoder()
