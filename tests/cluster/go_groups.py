"""Servers built from Go modules: a folder with pins for each group, a folder in the cache for each result."""

import math
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.cache import Cache, key_of, link_into
from cluster.errors import ClusterError
from cluster.go_toolchain import find_go, version_of
from cluster.progress import say, watch

_MODULES = Path(__file__).parent / "go"
_KUBERNETES_VERSION = "1.37.2"
_VERSION_VARIABLE = "k8s.io/component-base/version"
# One set of flags for all, or the groups would share no compiled package. No debug information and a lazy garbage
# collector: the compiler is done sooner.
_FLAGS = ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false"]
_ENVIRONMENT = {"GOGC": "400", "GOFLAGS": "-mod=readonly"}


@dataclass(frozen=True, eq=False)
class Group:
    """Binaries that are built together.

    Attributes:
        name: The folder below go/.
        binaries: File name of each binary -> its package.
        expected_s: How long the build takes with nothing cached on 2 cores, for the one who waits.
        flags: Further flags of `go build`.
        link_flags: What -ldflags gets besides `-s -w`.
        links: Other names of the first binary.
        cgo: Whether it is linked with the machine's C library.
        folders: What is copied beside the binaries: its name there -> a module and the folder in it.
    """

    name: str
    binaries: dict[str, str]
    expected_s: float
    flags: tuple[str, ...] = ()
    link_flags: str = ""
    links: tuple[str, ...] = ()
    cgo: bool = False
    folders: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def key(self, go_version: str) -> str:
        """Names the result: the same pins, sources, flags and compiler give the same."""
        packages = [f"{name}={package}" for name, package in self.binaries.items()]
        parameters = (*_FLAGS, *self.flags, self.link_flags, *packages, *(path for _, path in self.folders.values()))
        return key_of(go_version, *parameters, folder=_MODULES / self.name)


_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_NVIDIA = "github.com/NVIDIA/nvidia-container-toolkit/cmd"

_EVERYWHERE = (
    Group(
        "kubernetes",
        {"hyperkube": "."},
        expected_s=540,
        link_flags=f"-X {_VERSION_VARIABLE}.gitVersion=v{_KUBERNETES_VERSION}"
        f" -X {_VERSION_VARIABLE}.gitMajor=1 -X {_VERSION_VARIABLE}.gitMinor=37",
        links=("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"),
    ),
    Group("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}, expected_s=35),
    Group(
        "containerd",
        {name: f"{_CONTAINERD}/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
        expected_s=90,
        flags=("-tags=no_btrfs,no_zfs,no_devmapper,no_tracing",),
    ),
    Group("coredns", {"coredns": "."}, expected_s=75),
    Group("gpu", {"device-plugin": "."}, expected_s=25),
    Group("pod", {"pause": "./pause", "probe": "./probe"}, expected_s=10),
)
# It loads the driver's own library, hence the C library; a C compiler comes with Debian's golang.
_REAL_GPUS = Group(
    "nvidia", {name: f"{_NVIDIA}/{name}" for name in ("nvidia-ctk", "nvidia-cdi-hook")}, expected_s=40, cgo=True
)


# What single tests and benchmarks add to a cluster. None needs them for itself, so none waits for them.
FAKE_NODES = Group("kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"}, expected_s=100)
CHART_TOOLS = Group(
    "charts",
    {
        "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
        "helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
    },
    expected_s=100,
)
QUEUES = Group(
    "kueue",
    {"kueue": "sigs.k8s.io/kueue/cmd/kueue"},
    expected_s=150,
    folders={"chart": ("sigs.k8s.io/kueue", "charts/kueue")},
)
GITOPS = Group(
    "argocd",
    {"argocd-application-controller": ".", "gitops-health": "./gitops-health", "flux-manifests": "./flux-manifests"},
    expected_s=400,
    links=("argocd-repo-server",),
    folders={"crds": ("github.com/argoproj/argo-cd/v3", "manifests/crds")},
)
FIREWALL = Group(
    "firewall", {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}, expected_s=120
)
# A second S3 server, over a folder, for tests of the stores.
GATEWAY = Group("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, expected_s=75)
_PROMETHEUS = "github.com/prometheus/prometheus/cmd"
METRICS = Group(
    "prometheus",
    {name: f"{_PROMETHEUS}/{name}" for name in ("prometheus", "promtool")},
    expected_s=120,
    flags=("-tags=remove_all_sd,enable_kubernetes_sd",),
)


def groups(*, real_gpus: bool) -> tuple[Group, ...]:
    """What a cluster is made of, on its own or with the GPUs of this machine."""
    return (*_EVERYWHERE, _REAL_GPUS) if real_gpus else _EVERYWHERE


def links() -> dict[str, str]:
    """Names that stand for another binary -> that binary."""
    return {link: next(iter(group.binaries)) for group in _EVERYWHERE for link in group.links}


def build_groups(cache: Cache, wanted: Iterable[Group]) -> list[Path]:
    """Build those groups that the cache lacks and link the binaries of all into `cache.bin`; the folder of each."""
    go = find_go(cache)
    version = version_of(go)
    results = {group: cache.built(group.name, group.key(version)) for group in wanted}
    missing = [group for group, result in results.items() if not result.exists()]
    if missing:
        minutes = math.ceil(sum(group.expected_s for group in missing) / 60)
        names = ", ".join(group.name for group in missing)
        say(f"building {names} from Go modules: about {minutes} min on 2 cores, once")
    for group in missing:
        _build(go, group, results[group])
    for group, result in results.items():
        link_into(cache.bin, {name: result / name for name in (*group.binaries, *group.links)})
    return list(results.values())


def _build(go: Path, group: Group, result: Path) -> None:
    say(f"building {group.name} (about {group.expected_s:.0f} s)")
    started = time.monotonic()
    draft = result.with_name(f"{result.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, package in group.binaries.items():
        _go_build(go, group, package, draft / name)
    for link in group.links:
        (draft / link).symlink_to(next(iter(group.binaries)))
    for name, (module, folder) in group.folders.items():
        shutil.copytree(_module_folder(go, group, module) / folder, draft / name, copy_function=shutil.copyfile)
    draft.rename(result)
    say(f"built {group.name} in {time.monotonic() - started:.0f} s")


def _module_folder(go: Path, group: Group, module: str) -> Path:
    """Where the compiler keeps the sources of a module."""
    environment = {**os.environ, **_ENVIRONMENT}
    command = [str(go), "list", "-m", "-f", "{{.Dir}}", module]
    return Path(subprocess.check_output(command, cwd=_MODULES / group.name, env=environment, text=True).strip())


def _go_build(go: Path, group: Group, package: str, output: Path) -> None:
    link_flags = f"-s -w {group.link_flags}".strip()
    process = subprocess.Popen(
        [str(go), "build", *_FLAGS, *group.flags, "-ldflags", link_flags, "-o", str(output), package],
        cwd=_MODULES / group.name,
        env={**os.environ, **_ENVIRONMENT, "CGO_ENABLED": "1" if group.cgo else "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    code, printed = watch(process, output.name, expected_s=group.expected_s)
    if code != 0:
        raise ClusterError(f"Building {output.name} failed; go said:\n{printed.strip()[-2000:]}")
