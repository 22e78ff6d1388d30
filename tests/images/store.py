"""From a Dockerfile to an archive in the cache, and what is known of each archive."""

import fcntl
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from images import machine
from images.buildah import Buildah
from images.image import ROOT, Image, build_key


@dataclass(frozen=True)
class Archive:
    """An OCI archive that has one image.

    Attributes:
        path: the archive.
        reference: the image's name and tag.
        key: ``build_key`` of the tree it was built from.
        digest: of the image's manifest, ``sha256:...``; containerd's name for the same image.
    """

    path: str
    reference: str
    key: str
    digest: str


def find_cache() -> Path:
    """The images' folder in the cache that all checkouts on this machine share."""
    return Path(os.environ.get("SPLATS_CACHE") or Path.home() / ".cache/splat-compression") / "images"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One build at a time, whichever checkout it is for; the second waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_archive(image: Image, folder: Path) -> Archive | None:
    """The archive of the tree as it is now; None if it must be built."""
    record, path = folder / f"{image.name}.json", folder / f"{image.name}.tar"
    if not (record.exists() and path.exists()):
        return None
    archive = Archive(**json.loads(record.read_text()))
    return archive if archive.key == build_key(image) else None


def build_archive(image: Image, folder: Path) -> Archive:
    """Build the image and write its archive; the record goes last, so that it never speaks of an unfinished one."""
    machine.install_tools()
    key = build_key(image)
    buildah = Buildah(folder)
    _build(image, buildah)
    record, path = folder / f"{image.name}.json", folder / f"{image.name}.tar"
    record.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    buildah.run("push", "--quiet", image.reference, f"oci-archive:{path}:{image.reference}")
    archive = Archive(path=str(path), reference=image.reference, key=key, digest=_read_digest(path))
    record.write_text(json.dumps(asdict(archive)))
    return archive


def _build(image: Image, buildah: Buildah) -> None:
    pip_conf = buildah.folder / "pip.conf"
    buildah.folder.mkdir(parents=True, exist_ok=True)
    pip_conf.write_text(machine.read_pip_settings())
    buildah.build(
        image.reference,
        dockerfile=ROOT / image.dockerfile,
        context=ROOT,
        build_args={"BASE_IMAGE": image.ensure_base(buildah), **dict(image.build_args)},
        mounts={machine.CA_BUNDLE: str(machine.CA_BUNDLE), pip_conf: "/etc/pip.conf"},
    )


def _read_digest(path: Path) -> str:
    """Digest of the one manifest that the archive's index names."""
    with tarfile.open(path) as archive:
        index = archive.extractfile("index.json")
        if index is None:
            raise machine.MachineError(f"{path} has no index.json: delete it and build again")
        return str(json.load(index)["manifests"][0]["digest"])
