"""What pods and the node leave in the kernel when they are not ended in order: found by our own names, and removed."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.processes import Identity, end, identify
from cluster.settings import BRIDGE, POD_CIDR, S3_INNER_PORTS, S3_PORT

_TABLES = ("nat", "filter", "mangle", "raw")
_CHAIN_PREFIXES = ("KUBE-", "CNI-")


def remove_leftovers(cache: Cache) -> None:
    """Remove processes, mounts, devices, rules and cgroups of pods. The cluster's own processes must have ended."""
    end(_shims(cache) + _pod_processes(), signal.SIGKILL, wait_s=5.0)
    _unmount(cache)
    _remove_bridge()
    for tool in ("iptables", "ip6tables"):
        _remove_rules(tool)
    _remove_cgroups()
    _remove_log_links(cache)
    _remove_device_books()
    _remove_sockets()


def _shims(cache: Cache) -> list[Identity]:
    """Shims outlive containerd, whose start they are: ours run from the cache."""
    found = []
    for link in Path("/proc").glob("[0-9]*/exe"):
        try:
            program = link.readlink()
        except OSError:  # it has ended, or is a kernel thread
            continue
        if program.name.startswith("containerd-shim-runc-v2") and program.is_relative_to(cache.root):
            found.append(identify(int(link.parent.name)))
    return [identity for identity in found if identity]


def _pod_processes() -> list[Identity]:
    found = [
        identify(int(pid))
        for folder in _pod_cgroups()
        for file in folder.rglob("cgroup.procs")
        for pid in file.read_text().split()
    ]
    return [identity for identity in found if identity]


def _pod_cgroups() -> list[Path]:
    """The kubelet's cgroup in each hierarchy: one for cgroup v2, one a controller for v1."""
    root = Path("/sys/fs/cgroup")
    return [*root.glob("kubepods"), *root.glob("*/kubepods")]


def mounts_below(mountinfo: str, folders: tuple[Path, ...]) -> list[str]:
    """Mount points below `folders` from the text of /proc/self/mountinfo, last mounted first (proc(5), field 5)."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if any(Path(point).is_relative_to(folder) for folder in folders)]


def _unmount(cache: Cache) -> None:
    for point in mounts_below(Path("/proc/self/mountinfo").read_text(), (cache.cluster, cache.containerd)):
        # Lazily: the process that held it may still be on its way out.
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def _remove_bridge() -> None:
    """With the bridge go its routes. Pods' devices went with their network namespaces, unless one is still held."""
    listed = subprocess.run(
        ["ip", "-oneline", "link", "show", "master", BRIDGE], capture_output=True, text=True, check=False
    )
    devices = [line.split(":")[1].split("@")[0].strip() for line in listed.stdout.splitlines()]
    for device in [*devices, BRIDGE]:
        subprocess.run(["ip", "link", "del", device], capture_output=True, check=False)


def without_ours(table: str) -> str:
    """One table, as iptables-save prints it, without the chains of Kubernetes and CNI and the rules that name them."""
    return "".join(line for line in table.splitlines(keepends=True) if not _is_ours(line))


def _is_ours(line: str) -> bool:
    if line.startswith(":"):
        return line[1:].startswith(_CHAIN_PREFIXES)
    return line.startswith("-A") and any(word in line for word in (" KUBE-", " CNI-", POD_CIDR))


def _remove_rules(tool: str) -> None:
    for table in _TABLES:
        saved = subprocess.run([f"{tool}-save", "-t", table], capture_output=True, text=True, check=False).stdout
        kept = without_ours(saved)
        if kept != saved:
            done = subprocess.run([f"{tool}-restore"], input=kept, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ClusterError(
                    f"{tool}-restore refused the {table} table without the cluster's rules: {done.stderr.strip()}"
                )


def _remove_cgroups() -> None:
    for top in _pod_cgroups():
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                Path(folder).rmdir()
            except OSError:  # a process in it is still on its way out; `down` leaves the empty folder to the next one
                continue


def _remove_log_links(cache: Cache) -> None:
    """The kubelet links each container's log from a fixed folder."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(cache.cluster):
            link.unlink()


def _remove_device_books() -> None:
    """The kubelet writes in a fixed folder which pod has which device; the next one would go on from there."""
    shutil.rmtree("/var/lib/kubelet/device-plugins", ignore_errors=True)


def _remove_sockets() -> None:
    """SeaweedFS names its sockets after its ports, in a folder that cannot be chosen, and leaves them when killed."""
    for port in (S3_PORT, *S3_INNER_PORTS):
        for path in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
            path.unlink()
