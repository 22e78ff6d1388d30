"""containerd: its configuration, its images, and what pods leave in it."""

import subprocess
from pathlib import Path

from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.processes import Registry
from cluster.progress import wait_until
from cluster.settings import CONTAINERD_NAMESPACE, PAUSE_IMAGE

NAME = "containerd"


def start_containerd(cache: Cache, registry: Registry) -> None:
    """Start containerd and wait until it answers."""
    cache.cluster.mkdir(parents=True, exist_ok=True)
    configuration = cache.cluster / "containerd.toml"
    configuration.write_text(configuration_of(cache))
    # It looks for its shim on PATH.
    registry.start(NAME, [str(cache.bin / "containerd"), "--config", str(configuration)], path=[cache.bin])
    hint = f"see {cache.logs / 'containerd.log'}"
    wait_until("containerd", lambda: _answers(cache), timeout_s=120, hint=hint)


def configuration_of(cache: Cache) -> str:
    """The configuration, version 4.

    `restrict_oom_score_adj`: without CAP_SYS_RESOURCE no sandbox would start. `netns_mounts_under_state_dir`: so that
    all mounts of pods lie below one folder. NRI is off because its socket is one for the whole machine.
    """
    state = cache.cluster / "containerd"
    return f"""\
version = 4
root = "{cache.containerd}"
state = "{state}"
temp = "{cache.containerd / "tmp"}"
imports = []
disabled_plugins = ["io.containerd.nri.v1.nri"]

[plugins.'io.containerd.server.v1.grpc']
  address = "{cache.containerd_socket}"
[plugins.'io.containerd.server.v1.ttrpc']
  address = "{cache.containerd_socket}.ttrpc"
[plugins.'io.containerd.internal.v1.opt']
  path = "{cache.containerd / "opt"}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  cdi_spec_dirs = ["{cache.cdi}"]
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["/usr/lib/cni"]
  conf_dir = "{cache.cluster / "cni"}"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
    SystemdCgroup = false
    Root = "{cache.cluster / "runc"}"
"""


def load_image(cache: Cache, archive: Path) -> str:
    """Import an OCI archive where the kubelet looks for images; what containerd printed.

    Raises:
        ClusterError: when the archive is missing or is none, or no containerd runs.
    """
    if not archive.is_file():
        raise ClusterError(
            f"{archive} does not exist: name an OCI archive, as `buildah push IMAGE oci-archive:FILE` writes it."
        )
    if not _answers(cache):
        raise ClusterError("containerd does not run: start the cluster first (make cluster).")
    printed = ctr(cache, "images", "import", str(archive.absolute()))
    _remove_replaced(cache)
    return printed


def has_image(cache: Cache, name: str) -> bool:
    """True when an image of that full name is there."""
    return name in ctr(cache, "images", "ls", "-q").split()


def remove_pods(cache: Cache) -> None:
    """Kill every container and forget it; images stay. The kubelet must be gone, or it would start them again."""
    for kind, force in (("tasks", ["--force"]), ("containers", []), ("sandboxes", ["--force"])):
        if names := _listed(cache, kind):
            _run_ctr(cache, kind, "rm", *force, *names)  # fails for what went by itself in between


def ctr(cache: Cache, *arguments: str) -> str:
    """Run ctr in the kubelet's namespace; its output.

    Raises:
        ClusterError: with the last line it printed.
    """
    done = _run_ctr(cache, *arguments)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise ClusterError(f"ctr {' '.join(arguments)} failed: {last}")
    return done.stdout


def replaced_images(listing: str) -> list[str]:
    """Names to remove, from what `ctr images ls` prints (name, type and digest are its first columns).

    The kubelet's side gives every image a second name, its configuration's digest. That one stays, and with it the
    image, after a new build has taken over the tag; image collection, which would end it, is off.
    """
    digests = {name: digest for name, _, digest, *_ in (line.split() for line in listing.splitlines()[1:])}
    tagged = {digest for name, digest in digests.items() if not name.startswith("sha256:")}
    return [name for name, digest in digests.items() if name.startswith("sha256:") and digest not in tagged]


def _remove_replaced(cache: Cache) -> None:
    if names := replaced_images(ctr(cache, "images", "ls")):
        _run_ctr(cache, "images", "rm", *names)


def _listed(cache: Cache, kind: str) -> list[str]:
    if kind != "sandboxes":
        return ctr(cache, kind, "ls", "-q").split()
    return [line.split()[0] for line in ctr(cache, kind, "ls").splitlines()[1:]]  # it has no -q


def _answers(cache: Cache) -> bool:
    return cache.containerd_socket.exists() and _run_ctr(cache, "version").returncode == 0


def _run_ctr(cache: Cache, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(cache.bin / "ctr"), "-a", str(cache.containerd_socket), "-n", CONTAINERD_NAMESPACE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)
