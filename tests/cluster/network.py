"""The node's address, the pods' network, and the kernel settings that both need."""

import json
import socket
import subprocess
from pathlib import Path

from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.settings import (
    API_PORT,
    BRIDGE,
    CONTROLLER_MANAGER_PORT,
    DNS_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    LOCALHOST,
    NODE_IP,
    POD_CIDR,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
    S3_INNER_PORTS,
    S3_PORT,
    SCHEDULER_PORT,
)

_NODE_PORTS = (API_PORT, KUBELET_PORT, DNS_PORT, S3_PORT, *S3_INNER_PORTS)
_LOCAL_PORTS = (
    ETCD_PORT,
    ETCD_PEER_PORT,
    CONTROLLER_MANAGER_PORT,
    SCHEDULER_PORT,
    KUBELET_HEALTH_PORT,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
)
# Set by us, the kubelet, kube-proxy or the bridge plugin; put back by `down`.
_SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/bridge/bridge-nf-call-iptables",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def add_node_address() -> None:
    """Give the loopback device the node's address."""
    _ip("address", "replace", f"{NODE_IP}/32", "dev", "lo")


def remove_node_address() -> None:
    """Take it away again; nothing happens where it is not."""
    if f" {NODE_IP}/32 " in _ip("-oneline", "address", "show", "dev", "lo"):
        _ip("address", "del", f"{NODE_IP}/32", "dev", "lo")


def require_free_ports() -> None:
    """Raise ClusterError when another program has a port of the cluster's; the node's address must be there."""
    wanted = [(NODE_IP, port) for port in _NODE_PORTS] + [(LOCALHOST, port) for port in _LOCAL_PORTS]
    taken = [f"{address}:{port}" for address, port in wanted if not is_free(address, port)]
    if taken:
        raise ClusterError(
            f"Another program listens on {', '.join(taken)}, which the cluster needs: end it (`ss -ltnp` names it)."
        )


def write_pod_network(cache: Cache) -> None:
    """Write the CNI configuration: a bridge with addresses from the pods' range, kept below the cluster's own folder.

    The MTU is below that of any common uplink, so that pods need no path discovery.
    """
    addresses = {
        "type": "host-local",
        "dataDir": str(cache.cluster / "cni-addresses"),
        "ranges": [[{"subnet": POD_CIDR}]],
    }
    switch = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "ipMasq": True, "hairpinMode": True, "mtu": 1400}
    bridge = {**switch, "ipam": {**addresses, "routes": [{"dst": "0.0.0.0/0"}]}}
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    folder = cache.cluster / "cni"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "10-pods.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins}))


def prepare_kernel(cache: Cache) -> None:
    """Forward packets, and let iptables see those on the bridge: what a pod answers to a service is translated back."""
    if not Path("/proc/sys/net/bridge").exists():
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    settings = [Path("/proc/sys") / name for name in _SYSCTLS]
    before = {str(path): path.read_text().strip() for path in settings if path.exists()}
    (cache.cluster / "sysctls.json").write_text(json.dumps(before))
    for name in ("net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables"):
        _set(Path("/proc/sys") / name, "1")


def restore_kernel(cache: Cache) -> None:
    """Put back the settings that `prepare_kernel` found."""
    file = cache.cluster / "sysctls.json"
    if file.exists():
        for path, value in json.loads(file.read_text()).items():
            _set(Path(path), value)


def _set(path: Path, value: str) -> None:
    if path.exists() and path.read_text().strip() != value:
        try:
            path.write_text(value)
        except OSError as error:
            raise ClusterError(f"The kernel setting {path} cannot be set to {value}: {error.strerror}.") from error


def is_free(address: str, port: int) -> bool:
    """True when a server could listen there."""
    with socket.socket() as probe:
        # As the servers do: connections that the last cluster left in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
