"""etcd, API server, controller-manager and scheduler."""

from cluster.cache import Cache
from cluster.processes import Registry
from cluster.settings import (
    API_PORT,
    CONTROLLER_MANAGER_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    LOCALHOST,
    NODE_IP,
    SCHEDULER_PORT,
    SERVICE_CIDR,
)


def start_api_server(cache: Cache, registry: Registry) -> None:
    """Start etcd and the API server, which waits for it by itself."""
    registry.start("etcd", [str(cache.bin / "etcd"), *etcd_arguments(cache)])
    registry.start("kube-apiserver", [str(cache.bin / "kube-apiserver"), *api_server_arguments(cache)])


def start_controllers(cache: Cache, registry: Registry) -> None:
    """Start controller-manager and scheduler; the API server must be ready, or they give up at once."""
    registry.start(
        "kube-controller-manager", [str(cache.bin / "kube-controller-manager"), *_controller_manager_arguments(cache)]
    )
    registry.start("kube-scheduler", [str(cache.bin / "kube-scheduler"), *_scheduler_arguments(cache)])


def etcd_arguments(cache: Cache) -> list[str]:
    """Its data lives as long as the cluster, so nothing is gained by waiting for the disk."""
    client, peer = f"http://{LOCALHOST}:{ETCD_PORT}", f"http://{LOCALHOST}:{ETCD_PEER_PORT}"
    return [
        "--name=embedded",
        f"--data-dir={cache.cluster / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=embedded={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server_arguments(cache: Cache) -> list[str]:
    """Client certificates are for the kubelet only; everybody else brings a token."""
    keys = cache.cluster / "certificates"
    return [
        f"--etcd-servers=http://{LOCALHOST}:{ETCD_PORT}",
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        f"--client-ca-file={keys / 'ca.crt'}",
        f"--requestheader-client-ca-file={keys / 'ca.crt'}",
        "--requestheader-allowed-names=no-proxy",  # without the two, all others complain of their absence every 5 s
        f"--kubelet-client-certificate={keys / 'kubelet-client.crt'}",
        f"--kubelet-client-key={keys / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",  # the node's name is in no DNS
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={keys / 'sa.key'}",
        f"--service-account-signing-key-file={keys / 'sa.key'}",
        f"--token-auth-file={cache.cluster / 'tokens.csv'}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
    ]


# Requests a second of each controller and the scheduler, whose own limits are 20 and 50. The Job controller makes five
# for a Job: with its 20 a second, 200 Jobs took 61 s on 2 cores, and 31 s where only the processors limited them.
_REQUESTS = ["--kube-api-qps=1000", "--kube-api-burst=1000"]


def _controller_manager_arguments(cache: Cache) -> list[str]:
    keys = cache.cluster / "certificates"
    return [
        *_as_user(cache, "controller-manager"),
        f"--secure-port={CONTROLLER_MANAGER_PORT}",
        f"--service-account-private-key-file={keys / 'sa.key'}",
        f"--root-ca-file={keys / 'ca.crt'}",
        "--use-service-account-credentials=true",
        *_REQUESTS,
    ]


def _scheduler_arguments(cache: Cache) -> list[str]:
    return [*_as_user(cache, "scheduler"), f"--secure-port={SCHEDULER_PORT}", *_REQUESTS]


def _as_user(cache: Cache, user: str) -> list[str]:
    """There is one of each, so no leader is elected, which would take 15 s after a kill."""
    file = cache.cluster / f"{user}.kubeconfig"
    uses = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [*(f"--{use}={file}" for use in uses), f"--bind-address={LOCALHOST}", "--leader-elect=false"]
