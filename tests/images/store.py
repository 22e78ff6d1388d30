"""From a Dockerfile to an archive in the cache, and what is known of each archive."""

import fcntl
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster import prerequisites
from cluster.cache import Cache
from images import machine
from images.buildah import Buildah
from images.errors import ImageError
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


def folder_of(cache: Cache) -> Path:
    """What belongs to the images in the cache that all checkouts on this machine share."""
    return cache.root / "images"


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """One build at a time, whichever checkout it is for; the second waits."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_archive(image: Image, folder: Path, *, root: Path = ROOT) -> Archive | None:
    """The archive of the tree as it is now; None if it must be built."""
    record, path = folder / f"{image.name}.json", folder / f"{image.name}.tar"
    if not (record.exists() and path.exists()):
        return None
    archive = Archive(**json.loads(record.read_text()))
    return archive if archive.key == build_key(image, root=root) else None


def build_archive(image: Image, folder: Path, *, root: Path = ROOT) -> Archive:
    """Build the image and write its archive; the record goes last, so that it never speaks of an unfinished one."""
    prerequisites.require_root()
    prerequisites.install_packages()
    key = build_key(image, root=root)
    buildah = Buildah(folder)
    _build(image, buildah, root)
    record, path = folder / f"{image.name}.json", folder / f"{image.name}.tar"
    record.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    # Level 1: compressing is most of the time that a code change takes, and the archive stays on this machine.
    level = ("--compression-format=gzip", "--compression-level=1")
    buildah.run("push", "--quiet", *level, image.reference, f"oci-archive:{path}:{image.reference}")
    archive = Archive(path=str(path), reference=image.reference, key=key, digest=_read_digest(path))
    record.write_text(json.dumps(asdict(archive)))
    return archive


def _build(image: Image, buildah: Buildah, root: Path) -> None:
    pip_conf = buildah.folder / "pip.conf"
    buildah.folder.mkdir(parents=True, exist_ok=True)
    pip_conf.write_text(machine.read_pip_settings())
    buildah.build(
        image.reference,
        dockerfile=root / image.dockerfile,
        context=root,
        build_args={"BASE_IMAGE": image.ensure_base(buildah), **dict(image.build_args)},
        mounts={machine.CA_BUNDLE: str(machine.CA_BUNDLE), pip_conf: "/etc/pip.conf"},
    )


def read_manifest(archive: Archive) -> tuple[dict[str, Any], dict[str, Any]]:
    """The image's manifest and configuration, after the OCI image specification."""
    with tarfile.open(archive.path) as tar:
        manifest = _read_blob(tar, archive.digest)
        return manifest, _read_blob(tar, manifest["config"]["digest"])


def _read_digest(path: Path) -> str:
    """Digest of the one manifest that the archive's index names."""
    with tarfile.open(path) as tar:
        return str(_read_json(tar, "index.json")["manifests"][0]["digest"])


def _read_blob(tar: tarfile.TarFile, digest: str) -> dict[str, Any]:
    return _read_json(tar, f"blobs/{digest.replace(':', '/')}")


def _read_json(tar: tarfile.TarFile, name: str) -> dict[str, Any]:
    member = tar.extractfile(name)
    if member is None:
        raise ImageError(f"{tar.name!r} has no {name}: delete it and build again")
    content: dict[str, Any] = json.load(member)
    return content
