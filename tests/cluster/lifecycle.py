"""The order in which the cluster comes up and goes down."""

import shutil
from pathlib import Path

from cluster import container_runtime, dns, gpus, network, node, packing, s3
from cluster.cache import Cache, exclusive
from cluster.certificates import write_certificates
from cluster.container_runtime import has_image, load_image, remove_pods, start_containerd
from cluster.control_plane import start_api_server, start_controllers
from cluster.credentials import Credentials, write_credentials
from cluster.go_groups import Group, build_groups, groups
from cluster.leftovers import remove_leftovers
from cluster.oci import write_program_image
from cluster.prerequisites import install_packages, require_root
from cluster.processes import Registry
from cluster.progress import say
from cluster.python_tools import install_tools
from cluster.readiness import api_of, checks, is_healthy, wait_for
from cluster.settings import PAUSE_IMAGE

_GRACE_S = 3.0


def build(cache: Cache, *, real_gpus: bool) -> None:
    """Install and build what is missing, without starting anything."""
    require_root()
    with exclusive(cache):
        _build(cache, real_gpus=real_gpus)


def build_besides(cache: Cache, group: Group) -> Path:
    """Build what the cluster itself does without; the folder of its binaries."""
    with exclusive(cache):
        return build_groups(cache, [group])[0]


def pack(cache: Cache, archive: Path, *, real_gpus: bool) -> None:
    """Build what is missing and write all programs into one file."""
    require_root()
    with exclusive(cache):
        _build(cache, real_gpus=real_gpus)
        packing.pack(cache, archive, real_gpus=real_gpus)


def unpack(cache: Cache, archive: Path) -> None:
    """Use the programs of such a file from now on."""
    with exclusive(cache):
        packing.unpack(cache, archive)


def up(cache: Cache, *, real_gpus: bool | None) -> None:
    """Build what is missing and start the cluster; a healthy one is left alone, a half-dead one is cleaned up first.

    Args:
        cache: Its cache.
        real_gpus: Whether the node has this machine's GPUs; None: those of the cluster that runs will do.
    """
    require_root()
    with exclusive(cache):
        has_real = gpus.are_real(cache)
        wanted = has_real if real_gpus is None else real_gpus
        _build(cache, real_gpus=wanted)
        if is_healthy(cache) and has_real == wanted:
            say("the cluster runs already")
            return
        specification = gpus.describe_gpus(cache, real=wanted)  # what may fail, before a cluster that runs is ended
        _clean(cache)
        node.require_no_other()
        _start(cache, specification)


def down(cache: Cache) -> None:
    """End the cluster and remove what it left in the kernel; images and binaries stay in the cache."""
    require_root()
    with exclusive(cache):
        if not cache.cluster.exists():
            say("the cluster does not run")
            return
        _clean(cache)
        say("the cluster is down")


def describe(cache: Cache) -> tuple[list[str], bool]:
    """A line for each process and one for the whole; True when the cluster is ready."""
    processes = Registry(cache.cluster, cache.logs).all()
    if not processes:
        return ["the cluster does not run"], False
    states = {name: "runs" if identity.is_alive() else "DEAD" for name, identity in processes.items()}
    lines = [f"{name:<24} {processes[name].pid:>8} {state}" for name, state in states.items()]
    ready = is_healthy(cache)
    return [*lines, "ready" if ready else f"NOT ready: see the logs in {cache.logs}, or start it again"], ready


def _build(cache: Cache, *, real_gpus: bool) -> None:
    if packing.use_packed(cache, real_gpus=real_gpus):
        install_packages(builds=False)
        return
    install_packages()
    build_groups(cache, groups(real_gpus=real_gpus))
    install_tools(cache)


def _start(cache: Cache, specification: str) -> None:
    shutil.rmtree(cache.logs, ignore_errors=True)
    cache.cluster.mkdir(parents=True)
    registry = Registry(cache.cluster, cache.logs)
    network.prepare_kernel(cache)
    network.add_node_address()
    network.require_free_ports()
    network.write_pod_network(cache)
    gpus.write_specification(cache, specification)
    write_certificates(cache.cluster / "certificates")
    credentials = write_credentials(cache)
    say("starting etcd, the API server, SeaweedFS and containerd")
    start_api_server(cache, registry)
    s3.start_s3(cache, registry, credentials)
    start_containerd(cache, registry)
    _import_pause(cache)
    _start_rest(cache, registry, credentials)


def _start_rest(cache: Cache, registry: Registry, credentials: Credentials) -> None:
    """What needs the API server."""
    api = api_of(cache, credentials)
    wait_for(registry, cache, "The API server", api.is_ready)
    say("starting controller-manager, scheduler, kubelet, kube-proxy and CoreDNS")
    start_controllers(cache, registry)
    node.start_kubelet(cache, registry)
    gpus.start_device_plugin(cache, registry)
    node.start_kube_proxy(cache, registry)
    dns.start_coredns(cache, registry, api)
    s3.publish_credentials(api, credentials)
    wait_for(registry, cache, "SeaweedFS", lambda: s3.make_bucket(credentials))
    for what, check in checks(cache, api, credentials).items():
        wait_for(registry, cache, what, check)
    say("the cluster is ready")


def _clean(cache: Cache) -> None:
    """Undo a start, whatever is left of it.

    Without our own folder nothing happens: rules, cgroups and mounts on this machine are then another cluster's.
    """
    if not cache.cluster.exists():
        return
    say("ending the cluster")
    registry = Registry(cache.cluster, cache.logs)
    registry.stop(["kubelet", "kube-proxy"], grace_s=_GRACE_S)
    _forget_pods(cache, registry)
    registry.stop([container_runtime.NAME], grace_s=_GRACE_S)
    registry.stop(registry.all(), grace_s=0)  # their data goes with them
    remove_leftovers(cache)
    network.remove_node_address()
    network.restore_kernel(cache)
    shutil.rmtree(cache.cluster)


def _forget_pods(cache: Cache, registry: Registry) -> None:
    """Only containerd can remove containers from its own books, so one that died is started once more for it."""
    if container_runtime.NAME not in registry.all():
        return
    if container_runtime.NAME in registry.dead():
        start_containerd(cache, registry)
    remove_pods(cache)


def _import_pause(cache: Cache) -> None:
    if has_image(cache, PAUSE_IMAGE):
        return
    archive = cache.cluster / "pause.tar"
    write_program_image(archive, name=PAUSE_IMAGE, program=cache.bin / "pause")
    load_image(cache, archive)
