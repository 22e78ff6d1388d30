"""The node: kubelet and kube-proxy."""

import json
from pathlib import Path
from typing import Any

from cluster.api import Api
from cluster.cache import Cache
from cluster.errors import ClusterError
from cluster.gpus import RESOURCE
from cluster.processes import Registry, identify
from cluster.settings import (
    CLUSTER_DOMAIN,
    DNS_SERVICE_IP,
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    LOCALHOST,
    NODE,
    NODE_IP,
    POD_CIDR,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
)

_OTHER_NODES = {"kubelet", "k3s-server", "k3s-agent"}
_PATH = f"/api/v1/nodes/{NODE}"


def require_no_other() -> None:
    """Raise ClusterError when this machine is another cluster's node: both would own the same cgroups and rules."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            name = comm.read_text().strip()
        except OSError:  # it has ended meanwhile
            continue
        if name in _OTHER_NODES and identify(int(comm.parent.name)):  # one that has ended may wait for its parent
            raise ClusterError(
                f"This machine is a node of another Kubernetes ({name}, pid {comm.parent.name}): "
                "end that, or use it with CLUSTER=current."
            )


def start_kubelet(cache: Cache, registry: Registry) -> None:
    """Start the kubelet; containerd must answer."""
    configuration = _write(cache.cluster / "kubelet.json", kubelet_configuration(cache))
    arguments = [
        f"--config={configuration}",
        f"--kubeconfig={cache.cluster / 'kubelet.kubeconfig'}",
        f"--root-dir={cache.cluster / 'kubelet'}",
        f"--cert-dir={cache.cluster / 'kubelet' / 'pki'}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}",
    ]
    registry.start("kubelet", [str(cache.bin / "kubelet"), *arguments])


def start_kube_proxy(cache: Cache, registry: Registry) -> None:
    """Start kube-proxy, which makes services reachable."""
    configuration = _write(cache.cluster / "kube-proxy.json", kube_proxy_configuration(cache))
    registry.start("kube-proxy", [str(cache.bin / "kube-proxy"), f"--config={configuration}"])


def kubelet_configuration(cache: Cache) -> dict[str, Any]:
    """Nothing is evicted for a full disk and no image is collected: no registry would bring an imported one back."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "port": KUBELET_PORT,
        "healthzBindAddress": LOCALHOST,
        "healthzPort": KUBELET_HEALTH_PORT,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(cache.cluster / "certificates" / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{cache.containerd_socket}",
        "volumePluginDir": str(cache.cluster / "kubelet" / "volume-plugins"),
        "podLogsDir": str(cache.cluster / "pod-logs"),
        "clusterDNS": [DNS_SERVICE_IP],
        "clusterDomain": CLUSTER_DOMAIN,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,  # lowering it takes a capability that containers lack
        "enforceNodeAllocatable": [],
        # A threshold of 0% is never reached, and a high one of 100% turns image collection off.
        "evictionHard": {
            "memory.available": "100Mi",
            **dict.fromkeys(("nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree"), "0%"),
        },
        "imageGCHighThresholdPercent": 100,
        "containerLogMaxSize": "20Mi",
        "shutdownGracePeriod": "0s",
        # How soon the node has its GPUs; only changes are reported, and a sign of life as rarely as by default.
        "nodeStatusUpdateFrequency": "1s",
        "nodeStatusReportFrequency": "5m",
    }


def kube_proxy_configuration(cache: Cache) -> dict[str, Any]:
    """Connection tracking keeps the machine's own limits: they are not the cluster's to change."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE,
        "clientConnection": {"kubeconfig": str(cache.cluster / "kube-proxy.kubeconfig")},
        "clusterCIDR": POD_CIDR,
        "healthzBindAddress": f"{LOCALHOST}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{LOCALHOST}:{PROXY_METRICS_PORT}",
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "iptables": {"minSyncPeriod": "100ms"},
    }


def is_ready(api: Api, *, gpus: int) -> bool:
    """True when the node is Ready and offers so many GPUs."""
    node = api.get(_PATH)
    if not node:
        return False
    conditions = {condition["type"]: condition["status"] for condition in node["status"].get("conditions", [])}
    return conditions.get("Ready") == "True" and node["status"]["allocatable"].get(RESOURCE) == str(gpus)


def _write(path: Path, document: dict[str, Any]) -> Path:
    path.write_text(json.dumps(document, indent=1))
    return path
