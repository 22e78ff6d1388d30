"""The cluster's certificate authority and keys, made with openssl."""

import subprocess
from pathlib import Path

from cluster.errors import ClusterError
from cluster.settings import API_SERVICE_IP, CLUSTER_DOMAIN, LOCALHOST, NODE_IP

# Nothing from the machine's own configuration: each certificate has the extensions that are named here and no others.
_CONFIGURATION = "[req]\ndistinguished_name = name\n[name]\n"
# What Python 3.13 and later demand of an authority, by RFC 5280 section 4.2.1.3.
_AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"]
_LEAF = [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
]
_NEW_KEY = [
    "-config",
    "openssl.cnf",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "3650",
]


def write_certificates(folder: Path) -> None:
    """Write certificates with their keys: `ca`, `apiserver`, and `kubelet-client`, with which that calls the kubelet.

    And `sa.key`, which signs the tokens of service accounts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openssl.cnf").write_text(_CONFIGURATION)
    files = ["-keyout", "ca.key", "-out", "ca.crt"]
    _openssl(folder, ["req", "-x509", *_NEW_KEY, *files, "-subj", "/CN=embedded-cluster", *_extensions(_AUTHORITY)])
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{CLUSTER_DOMAIN}"]
    alternatives = [f"DNS:{name}" for name in names] + [f"IP:{ip}" for ip in (NODE_IP, API_SERVICE_IP, LOCALHOST)]
    _issue(folder, "apiserver", "/CN=kube-apiserver", "serverAuth", ["subjectAltName=" + ",".join(alternatives)])
    _issue(folder, "kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client", "clientAuth", [])
    _openssl(folder, ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key"])


def _issue(folder: Path, name: str, subject: str, usage: str, extensions: list[str]) -> None:
    added = _extensions([*_LEAF, f"extendedKeyUsage={usage}", *extensions])
    signer = ["-CA", "ca.crt", "-CAkey", "ca.key"]
    files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
    _openssl(folder, ["req", "-x509", *signer, *_NEW_KEY, *files, "-subj", subject, *added])


def _extensions(texts: list[str]) -> list[str]:
    return [part for text in texts for part in ("-addext", text)]


def _openssl(folder: Path, arguments: list[str]) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()[-300:]}")
