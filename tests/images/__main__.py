"""``python -m images [operator] [worker]``: build what has changed and give it to the embedded cluster.

With CLUSTER=current the images are built only, and the way to one's own registry is printed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

from cluster.cache import default_cache
from cluster.errors import ClusterError
from cluster.progress import say
from images import store
from images.delivery import deliver, explain_push
from images.errors import ImageError
from images.image import IMAGES, Image


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"{' or '.join(IMAGES)}; without one: all")
    names = parser.parse_args().images or list(IMAGES)
    if unknown := [name for name in names if name not in IMAGES]:
        parser.error(f"no image is called {', '.join(unknown)}: choose from {', '.join(IMAGES)}")
    try:
        _make([IMAGES[name] for name in names])
    except (ClusterError, ImageError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


def _make(images: list[Image]) -> None:
    cache = default_cache()
    folder = store.folder_of(cache)
    with store.lock(folder):
        for image in images:
            archive = store.read_archive(image, folder) or _build(image, folder)
            if os.environ.get("CLUSTER") == "current":
                explain_push(archive)
            else:
                deliver(archive, cache)


def _build(image: Image, folder: Path) -> store.Archive:
    started = time.monotonic()
    say(f"building {image.reference}: half a minute, on a new machine four; log: {folder / 'log'}")
    archive = store.build_archive(image, folder)
    say(f"built {image.reference} in {time.monotonic() - started:.0f} s")
    return archive


if __name__ == "__main__":
    sys.exit(main())
