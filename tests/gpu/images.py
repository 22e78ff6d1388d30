"""`python -m gpu.images`: the images as a cluster with GPUs has them, as OCI archives.

From the same Dockerfiles as the everyday ones, with the torch and the engines that these name.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from cluster.cache import Cache, default_cache
from images import base, store
from images.image import IMAGES

TAG = "gpu"


def build(cache: Cache) -> Iterator[Path]:
    """Build what has changed; the archives of both images."""
    folder = store.folder_of(cache)
    with store.lock(folder):
        for name, image in IMAGES.items():
            wanted = dataclasses.replace(
                image,
                name=f"{name}-{TAG}",
                reference=image.reference.replace(":dev", f":{TAG}"),
                ensure_base=base.ensure_python,
                build_args=(),
            )
            yield Path((store.read_archive(wanted, folder) or store.build_archive(wanted, folder)).path)


if __name__ == "__main__":
    for archive in build(default_cache()):
        print(archive)
