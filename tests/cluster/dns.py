"""CoreDNS: a process of the machine, behind the service IP that pods have in their resolv.conf."""

import secrets
import socket
import struct
from pathlib import Path

from cluster.api import Api
from cluster.cache import Cache
from cluster.processes import Registry
from cluster.settings import CLUSTER_DOMAIN, DNS_PORT, DNS_SERVICE_IP, NODE_IP

_SERVICES = "/api/v1/namespaces/kube-system/services"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
_RBAC = "rbac.authorization.k8s.io"


def start_coredns(cache: Cache, registry: Registry, api: Api) -> None:
    """Let CoreDNS read the cluster, put the kube-dns service in front of it, and start it."""
    api.create(f"/apis/{_RBAC}/v1/clusterroles", _role())
    api.create(f"/apis/{_RBAC}/v1/clusterrolebindings", _binding())
    api.create(_SERVICES, _service())
    api.create(_SLICES, _endpoints())
    corefile = cache.cluster / "Corefile"
    corefile.write_text(corefile_of(cache))
    registry.start("coredns", [str(cache.bin / "coredns"), "-conf", str(corefile)])


def corefile_of(cache: Cache) -> str:
    """The cluster's names from the API server, all others from the machine's own resolver."""
    return f"""\
.:{DNS_PORT} {{
    bind {NODE_IP}
    errors
    cache 5
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {cache.cluster / "coredns.kubeconfig"} embedded
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
{_upstream()}}}
"""


def _upstream() -> str:
    """A machine without a network may name no resolver, and CoreDNS would refuse to start."""
    try:
        named = "nameserver" in Path("/etc/resolv.conf").read_text()
    except FileNotFoundError:
        named = False
    return "    forward . /etc/resolv.conf\n" if named else ""


def resolves(name: str) -> bool:
    """True when CoreDNS has an address for `name`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1.0)
        query = build_query(secrets.randbelow(1 << 16), name)
        try:
            client.sendto(query, (NODE_IP, DNS_PORT))
            answer = client.recv(512)
        except OSError:
            return False
    return answers_to(query, answer) > 0


def build_query(number: int, name: str) -> bytes:
    """A recursive question for the A records of `name` (RFC 1035, section 4)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def answers_to(query: bytes, answer: bytes) -> int:
    """How many records `answer` has; 0 when it is an error or the answer to another query."""
    if len(answer) < 12 or answer[:2] != query[:2] or answer[3] & 0x0F:
        return 0
    return int(struct.unpack(">H", answer[6:8])[0])


def _role() -> dict[str, object]:
    """Of its own: the built-in `view` is empty until the controllers have filled it, which costs CoreDNS 10 s."""
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "coredns"}, "rules": rules}


def _binding() -> dict[str, object]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "coredns"},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "coredns"},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": "coredns"}],
    }


def _service() -> dict[str, object]:
    ports = [
        {"name": f"dns-{protocol.lower()}", "port": 53, "targetPort": DNS_PORT, "protocol": protocol}
        for protocol in ("UDP", "TCP")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "labels": {"k8s-app": "kube-dns"}},
        "spec": {"clusterIP": DNS_SERVICE_IP, "ports": ports},
    }


def _endpoints() -> dict[str, object]:
    ports = [{"name": f"dns-{protocol.lower()}", "port": DNS_PORT, "protocol": protocol} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kube-dns", "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [NODE_IP], "conditions": {"ready": True}}],
        "ports": ports,
    }
