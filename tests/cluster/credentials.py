"""Secrets of one cluster: random, made at its start, gone with it."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cluster.cache import Cache
from cluster.settings import API_PORT, NODE, NODE_IP

# File name of the kubeconfig -> user and groups. The names are those that Kubernetes' built-in roles are bound to.
_USERS = {
    "kubeconfig": ("admin", "system:masters"),
    "controller-manager.kubeconfig": ("system:kube-controller-manager", ""),
    "scheduler.kubeconfig": ("system:kube-scheduler", ""),
    "kubelet.kubeconfig": (f"system:node:{NODE}", "system:nodes"),
    "kube-proxy.kubeconfig": ("system:kube-proxy", ""),
    "coredns.kubeconfig": ("coredns", ""),
}


@dataclass(frozen=True)
class Credentials:
    """Key pair of the S3's only user and the administrator's token."""

    access_key: str
    secret_key: str
    admin_token: str


def write_credentials(cache: Cache) -> Credentials:
    """Write tokens.csv for the API server, a kubeconfig for each of its users, and the S3 key pair."""
    tokens = {file: secrets.token_hex(24) for file in _USERS}
    rows = [f'{tokens[file]},{user},{user},"{groups}"' for file, (user, groups) in _USERS.items()]
    _write_private(cache.cluster / "tokens.csv", "\n".join(rows) + "\n")
    for file, token in tokens.items():
        _write_private(cache.cluster / file, _kubeconfig(token, cache.cluster / "certificates" / "ca.crt"))
    made = Credentials(secrets.token_hex(10).upper(), secrets.token_urlsafe(30), tokens["kubeconfig"])
    _write_private(_file(cache), json.dumps(asdict(made)))
    return made


def read_credentials(cache: Cache) -> Credentials | None:
    """Those of the running cluster; None when there is none."""
    file = _file(cache)
    return Credentials(**json.loads(file.read_text())) if file.exists() else None


def _file(cache: Cache) -> Path:
    return cache.cluster / "credentials.json"


def _kubeconfig(token: str, authority: Path) -> str:
    """JSON, which is YAML too."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "embedded",
                "cluster": {"server": f"https://{NODE_IP}:{API_PORT}", "certificate-authority": str(authority)},
            }
        ],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": "user", "namespace": "default"}}],
        "current-context": "embedded",
    }
    return json.dumps(document, indent=1)


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
