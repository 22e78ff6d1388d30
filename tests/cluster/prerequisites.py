"""What the machine must have: root, and some Debian packages."""

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.progress import say

# Package -> a command or file that it brings. To ask for that, not for the package, also fits machines that have it
# from elsewhere.
_PACKAGES = {
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "iproute2": "ip",
    "conntrack": "conntrack",
    "socat": "socat",
    "ethtool": "ethtool",
    "openssl": "openssl",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
}
# What builds images takes besides.
_BUILDERS = {"buildah": "buildah", "debootstrap": "debootstrap"}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_root() -> None:
    """Raise ClusterError unless this process may mount, route and make cgroups."""
    if os.geteuid() != 0:
        raise ClusterError("The embedded cluster needs root (mounts, iptables, cgroups): run this command as root.")


def missing_packages(*, builds: bool = True) -> list[str]:
    """The Debian packages that this machine lacks, sorted.

    Args:
        builds: Whether it makes programs and images itself.
    """
    wanted = {**_PACKAGES, **_BUILDERS} if builds else _PACKAGES
    missing = [package for package, evidence in wanted.items() if not _present(evidence)]
    if builds and not shutil.which("uv") and not importlib.util.find_spec("pip"):
        missing.append("python3-pip")
    return sorted(missing)


def install_packages(*, builds: bool = True) -> None:
    """Install what is missing with apt-get; does nothing where nothing is.

    Args:
        builds: As for `missing_packages`.

    Raises:
        ClusterError: without apt-get, or when it fails.
    """
    _install(missing_packages(builds=builds))


def install_package(package: str, *, evidence: str) -> None:
    """Install a package that only some tests use, unless `evidence`, a command or file that it brings, is there.

    Raises:
        ClusterError: without apt-get, or when it fails.
    """
    if not _present(evidence):
        _install([package])


def _install(packages: list[str]) -> None:
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"This machine lacks {', '.join(packages)} and apt-get: install them by its own means.")
    say(f"installing Debian packages: {' '.join(packages)}")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        _apt_get(arguments)


def unpack_package(package: str, folder: Path) -> None:
    """Put a Debian package's files below a folder, without installing it, which may start a service.

    Raises:
        ClusterError: without apt-get, or when it fails.
    """
    if not shutil.which("apt-get"):
        raise ClusterError(f"This machine has no apt-get to fetch {package} with: use a Debian machine.")
    say(f"fetching the Debian package {package}")
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        _apt_get(["download", package], folder=draft)
    except ClusterError:  # where the lists of packages are old, or were never fetched
        _apt_get(["update"])
        _apt_get(["download", package], folder=draft)
    (archive,) = draft.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", archive, draft], check=True)
    archive.unlink()
    draft.rename(folder)


def _apt_get(arguments: list[str], *, folder: Path | None = None) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-qq", *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ClusterError(f"apt-get {arguments[0]} failed: {last}")


def _present(evidence: str) -> bool:
    if evidence.startswith("/"):
        return Path(evidence).exists()
    return shutil.which(evidence, path=SYSTEM_PATH) is not None
