"""Names, addresses and ports of the cluster; nothing here depends on the machine.

The node has an address of its own on the loopback device, so that one endpoint serves this machine and the pods alike.
What pods must not reach listens on 127.0.0.1. All ports lie between 20000 and 21000: below the ephemeral range, away
from those of other Kubernetes distributions.
"""

NODE = "embedded"
NODE_IP = "10.250.0.1"

POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
CLUSTER_DOMAIN = "cluster.local"
BRIDGE = "splats0"

API_PORT = 20443
KUBELET_PORT = 20250
KUBELET_HEALTH_PORT = 20248
DNS_PORT = 20053
S3_PORT = 20333
S3_INNER_PORTS = range(20343, 20350)

LOCALHOST = "127.0.0.1"
ETCD_PORT = 20379
ETCD_PEER_PORT = 20380
CONTROLLER_MANAGER_PORT = 20257
SCHEDULER_PORT = 20259
PROXY_METRICS_PORT = 20249
PROXY_HEALTH_PORT = 20256

S3_REGION = "us-east-1"
S3_BUCKET = "scenes"
S3_SECRET = "s3-credentials"  # noqa: S105 - the name of a Secret, not its content
S3_ENDPOINT = f"http://{NODE_IP}:{S3_PORT}"

CONTAINERD_NAMESPACE = "k8s.io"
PAUSE_IMAGE = "localhost/pause:1"
