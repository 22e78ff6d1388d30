"""``python -m images [operator] [worker]``: build what has changed and give it to the cluster."""

import argparse
import sys
import time

from images import store
from images.buildah import BuildError
from images.image import IMAGES, Image
from images.machine import MachineError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m images", description=__doc__)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"{' or '.join(IMAGES)}; without one: all")
    names = parser.parse_args().images or list(IMAGES)
    if unknown := [name for name in names if name not in IMAGES]:
        parser.error(f"no image is called {', '.join(unknown)}: choose from {', '.join(IMAGES)}")
    try:
        with store.lock(store.find_cache()):
            for name in names:
                _ensure(IMAGES[name])
    except (BuildError, MachineError) as error:
        print(f"images: {error}", file=sys.stderr)
        return 1
    return 0


def _ensure(image: Image) -> None:
    folder = store.find_cache()
    archive = store.read_archive(image, folder)
    if archive is None:
        started = time.monotonic()
        print(f"images: building {image.reference}; its words: {folder / 'log'}", flush=True)
        archive = store.build_archive(image, folder)
        print(f"images: built {image.reference} in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
