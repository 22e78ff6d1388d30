"""What the machine must have: root, some Debian packages, Go."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.progress import say

# Package -> a command or file that it brings. Asking for the file, not for the package, also fits machines that have it otherwise.
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
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}
_GO_NEEDED = (1, 26)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def require_root() -> None:
    """Raise ClusterError unless this process may mount, route and make cgroups."""
    if os.geteuid() != 0:
        raise ClusterError("The embedded cluster needs root (mounts, iptables, cgroups): run this command as root.")


def missing_packages() -> list[str]:
    """The Debian packages that this machine lacks, sorted."""
    return sorted(package for package, evidence in _PACKAGES.items() if not _present(evidence))


def install_packages() -> None:
    """Install what is missing with apt-get; does nothing where nothing is.

    Raises:
        ClusterError: without apt-get, or when it fails.
    """
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(
            f"This machine lacks {', '.join(missing)} and has no apt-get: install them by its own means."
        )
    say(f"installing Debian packages: {' '.join(missing)}")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        _apt_get(arguments)


def _apt_get(arguments: list[str]) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"apt-get {arguments[0]} failed: {_last_line(done.stderr)}")


def go_version() -> str:
    """What `go version` prints; part of every build's key.

    Raises:
        ClusterError: without Go, or with one too old to fetch the toolchain that the modules ask for.
    """
    if not shutil.which("go"):
        raise ClusterError("There is no `go` on PATH: install Go 1.26 or later.")
    printed = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout.strip()
    found = re.search(r"go(\d+)\.(\d+)", printed)
    if not found or (int(found[1]), int(found[2])) < _GO_NEEDED:
        raise ClusterError(f"Go 1.26 or later is needed and this is {printed!r}: install a newer one.")
    return printed


def _present(evidence: str) -> bool:
    return Path(evidence).exists() if evidence.startswith("/") else shutil.which(evidence, path=SYSTEM_PATH) is not None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it printed nothing"])[-1]
