"""The order in which the cluster comes up and goes down."""

import shutil
from collections.abc import Callable
from pathlib import Path

from cluster import container_runtime, dns, network, node, s3
from cluster.api import Api
from cluster.cache import Cache, exclusive
from cluster.certificates import write_certificates
from cluster.container_runtime import has_image, load_image, remove_pods, start_containerd
from cluster.control_plane import start_api_server, start_controllers
from cluster.credentials import Credentials, read_credentials, write_credentials
from cluster.errors import ClusterError
from cluster.go_groups import build_groups
from cluster.leftovers import remove_leftovers
from cluster.oci import write_program_image
from cluster.prerequisites import install_packages, require_root
from cluster.processes import Registry
from cluster.progress import say, wait_until
from cluster.python_tools import install_tools
from cluster.settings import CLUSTER_DOMAIN, PAUSE_IMAGE

_GRACE_S = 3.0


def up(cache: Cache) -> None:
    """Build what is missing and start the cluster; a healthy one is left alone, a half-dead one is cleaned up first."""
    require_root()
    with exclusive(cache):
        install_packages()
        build_groups(cache)
        install_tools(cache)
        if is_healthy(cache):
            say("the cluster runs already")
            return
        _clean(cache)
        _refuse_another_kubelet()
        _start(cache)


def down(cache: Cache) -> None:
    """End the cluster and remove what it left in the kernel; images and binaries stay in the cache."""
    require_root()
    with exclusive(cache):
        if not cache.cluster.exists():
            say("the cluster does not run")
            return
        _clean(cache)
        say("the cluster is down")


def is_healthy(cache: Cache) -> bool:
    """True when every process runs and API server, node, DNS and S3 answer."""
    credentials, registry = read_credentials(cache), _registry(cache)
    if not credentials or not registry.all() or registry.dead():
        return False
    api = _api(cache, credentials)
    return api.is_ready() and _is_ready(api, credentials)


def describe(cache: Cache) -> list[str]:
    """A line for each process, and one for the whole."""
    processes = _registry(cache).all()
    if not processes:
        return ["the cluster does not run"]
    lines = [
        f"{name:<24} {identity.pid:>8} {'runs' if identity.is_alive() else 'DEAD'}"
        for name, identity in processes.items()
    ]
    return [*lines, "ready" if is_healthy(cache) else f"NOT ready: see the logs in {cache.logs}, or start it again"]


def _start(cache: Cache) -> None:
    shutil.rmtree(cache.logs, ignore_errors=True)
    cache.cluster.mkdir(parents=True)
    registry = _registry(cache)
    network.prepare_kernel(cache)
    network.add_node_address()
    network.require_free_ports()
    network.write_pod_network(cache)
    write_certificates(cache.cluster / "certificates")
    credentials = write_credentials(cache)
    say("starting etcd, the API server, SeaweedFS and containerd")
    s3.start_s3(cache, registry, credentials)
    start_api_server(cache, registry)
    start_containerd(cache, registry)
    _import_pause(cache)
    _start_rest(cache, registry, credentials)


def _start_rest(cache: Cache, registry: Registry, credentials: Credentials) -> None:
    """What needs the API server."""
    api, hint = _api(cache, credentials), f"see the logs in {cache.logs}"
    _wait(registry, "The API server", api.is_ready, hint)
    say("starting controller-manager, scheduler, kubelet, kube-proxy and CoreDNS")
    start_controllers(cache, registry)
    node.start_kubelet(cache, registry)
    node.start_kube_proxy(cache, registry)
    dns.start_coredns(cache, registry, api)
    _wait(registry, "The kubelet", lambda: node.is_registered(api), hint)
    node.advertise_gpus(api)
    s3.publish_credentials(api, credentials)
    _wait(registry, "SeaweedFS", lambda: s3.make_bucket(credentials), hint)
    _wait(registry, "The cluster", lambda: _is_ready(api, credentials), hint)
    say("the cluster is ready")


def _wait(registry: Registry, what: str, check: Callable[[], bool], hint: str) -> None:
    """Wait, but no longer than until a process has ended."""

    def check_all() -> bool:
        if dead := registry.dead():
            raise ClusterError(f"{', '.join(dead)} ended by itself; {hint}.")
        return check()

    wait_until(what, check_all, timeout_s=120, hint=hint)


def _is_ready(api: Api, credentials: Credentials) -> bool:
    """The default service account is made last by the controllers; a pod is refused without it."""
    return (
        node.is_ready(api)
        and api.get("/api/v1/namespaces/default/serviceaccounts/default") is not None
        and api.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt") is not None
        and s3.is_ready(credentials)
        and dns.resolves(f"kubernetes.default.svc.{CLUSTER_DOMAIN}")
    )


def _clean(cache: Cache) -> None:
    """Undo a start, whatever is left of it. Another cluster's things on this machine stay: nothing happens without ours."""
    if not cache.cluster.exists():
        return
    say("ending the cluster")
    registry = _registry(cache)
    registry.stop(["kubelet", "kube-proxy"], grace_s=_GRACE_S)
    _forget_pods(cache, registry)
    registry.stop(registry.all(), grace_s=_GRACE_S)
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


def _refuse_another_kubelet() -> None:
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = comm.read_text().strip()
        except OSError:
            continue
        if name in {"kubelet", "k3s-server"}:
            raise ClusterError(
                f"Another Kubernetes node runs here ({name}, pid {comm.parent.name}): use it with CLUSTER=current, or end it first."
            )


def _registry(cache: Cache) -> Registry:
    return Registry(cache.cluster, cache.logs)


def _api(cache: Cache, credentials: Credentials) -> Api:
    return Api(cache.cluster / "certificates" / "ca.crt", credentials.admin_token)
