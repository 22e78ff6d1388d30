"""The cluster's certificate authority and keys, made with openssl."""

import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.settings import API_SERVICE_IP, CLUSTER_DOMAIN, LOCALHOST, NODE_IP

_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]


def write_certificates(folder: Path) -> None:
    """Write to `folder`, as .crt and .key: `ca`, `apiserver` (its server's) and `kubelet-client` (its client's); and `sa.key`.

    `sa.key` signs the tokens of service accounts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _openssl(
        folder, ["req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=embedded-cluster"]
    )
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    alternatives = [f"DNS:{name}" for name in names] + [f"IP:{ip}" for ip in (NODE_IP, API_SERVICE_IP, LOCALHOST)]
    _issue(folder, "apiserver", "/CN=kube-apiserver", "serverAuth", ["subjectAltName=" + ",".join(alternatives)])
    _issue(folder, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", "clientAuth", [])
    _openssl(folder, ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key"])


def _issue(folder: Path, name: str, subject: str, usage: str, extensions: list[str]) -> None:
    added = [part for text in (f"extendedKeyUsage={usage}", *extensions) for part in ("-addext", text)]
    signer = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    _openssl(folder, ["req", "-x509", *signer, *_NEW_KEY, *files, "-subj", subject, *added])


def _openssl(folder: Path, arguments: list[str]) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()[-300:]}")
