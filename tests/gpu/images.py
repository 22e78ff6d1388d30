"""The images as a cluster with GPUs has them: from the same Dockerfiles, with the torch and the engines they name."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from cluster.cache import Cache
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
