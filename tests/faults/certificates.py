"""Certificates for tests: a CA of its own, and a server's certificate for one name, signed by it."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


def make_authority(folder: Path) -> str:
    """Make a CA; return its certificate, PEM."""
    files = ("-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # without it, Python 3.13 refuses a CA
    _openssl("req", "-x509", *KEY, "-subj", "/CN=Test CA", *usage, *files)
    return (folder / "ca.crt").read_text()


def make_server_context(folder: Path, name: str) -> ssl.SSLContext:
    """Let the CA in `folder` sign a certificate for `name` (`DNS:...` or `IP:...`), and serve with it."""
    key, request, certificate, extension = (folder / f"server.{kind}" for kind in ("key", "csr", "crt", "ext"))
    extension.write_text(f"subjectAltName={name}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    _openssl("req", *KEY, "-subj", "/CN=server", "-keyout", key, "-out", request)
    authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial", "-days", "2")
    _openssl("x509", "-req", "-in", request, *authority, "-extfile", extension, "-out", certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
