"""TLS with a CA of one's own: what is trusted, what is not, and what the user then reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.certificates import make_authority, make_server_context
from faults.connections import build_connection
from faults.proxy import FaultProxy
from s3_server import S3Server
from sogs_worker.errors import ConfigurationError
from sogs_worker.storage.s3.store import S3Store


def stat(s3: S3Server, proxy: FaultProxy, bucket: str, folder: Path, ca_pem: str | None) -> None:
    connection = build_connection(s3, endpoint=proxy.endpoint, ca_pem=ca_pem)
    S3Store(bucket, connection, scratch=folder).stat("garden.ply")


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    name = s3.new_bucket()
    s3.client().put_object(Bucket=name, Key="garden.ply", Body=b"")
    return name


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_trusts_the_given_ca(s3: S3Server, bucket: str, tmp_path: Path, host: str) -> None:
    ca_pem = make_authority(tmp_path)
    name = "IP:127.0.0.1" if host == "127.0.0.1" else "DNS:localhost"
    with FaultProxy(s3.endpoint, make_server_context(tmp_path, name), host) as proxy:
        stat(s3, proxy, bucket, tmp_path, f"# für Prüfungen\n{ca_pem}")
        assert proxy.count() == 1


def test_refuses_another_ca(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    make_authority(tmp_path)
    with FaultProxy(s3.endpoint, make_server_context(tmp_path, "IP:127.0.0.1")) as proxy:
        with pytest.raises(
            ConfigurationError, match=r"garden\.ply: the certificate of .* is not trusted; correct the CA"
        ):
            stat(s3, proxy, bucket, tmp_path, s3.ca_pem)
        assert proxy.count() == 0, "no request, so no signature, goes to a stranger"


@pytest.mark.parametrize(("host", "name"), [("127.0.0.1", "IP:127.0.0.2"), ("localhost", "DNS:s3.example")])
def test_refuses_the_certificate_of_another_host(
    s3: S3Server, bucket: str, tmp_path: Path, host: str, name: str
) -> None:
    ca_pem = make_authority(tmp_path)
    with FaultProxy(s3.endpoint, make_server_context(tmp_path, name), host) as proxy:
        with pytest.raises(ConfigurationError, match=r"is for another host name; correct s3\.endpoint or"):
            stat(s3, proxy, bucket, tmp_path, ca_pem)
        assert proxy.count() == 0
