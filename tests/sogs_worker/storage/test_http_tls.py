"""Whom a web server's client trusts, and the proxy that it goes through."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.certificates import make_authority, make_server_context
from faults.proxy import FaultProxy, Rule, answer, tunnel
from faults.web import Web
from sogs_worker.errors import ConfigurationError, ServiceUnavailableError, WorkerError


@pytest.fixture(autouse=True)
def _scene(web: Web) -> None:
    web.files.content["/garden.ply"] = b"a scene"


@pytest.fixture
def other_ca(tmp_path: Path) -> str:
    """Make a CA that has signed nothing."""
    (tmp_path / "other").mkdir()
    return make_authority(tmp_path / "other")


def failure(web: Web, host: str = "", **changes: object) -> WorkerError:
    with pytest.raises(WorkerError) as caught:
        web.store(host, **changes).stat("garden.ply")
    return caught.value


class TestTrust:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_is_in_the_given_ca(self, web: Web, host: str) -> None:
        server = web.front if host == "127.0.0.1" else web.mirror
        assert web.store(server.endpoint.removeprefix("https://")).stat("garden.ply").size_bytes == 7

    def test_is_in_the_system_as_well(self, web: Web, other_ca: str, monkeypatch: pytest.MonkeyPatch) -> None:
        system = web.authority / "ca.crt"
        monkeypatch.setenv("SSL_CERT_FILE", str(system))
        assert web.store(ca_pem=None).stat("garden.ply").size_bytes == 7
        assert web.store(ca_pem=other_ca).stat("garden.ply").size_bytes == 7

    def test_takes_a_bundle_with_comments(self, web: Web, other_ca: str) -> None:
        assert web.store(ca_pem=f"# Főtanúsítvány\n{other_ca}\n# ours\n{web.ca_pem}").stat("garden.ply").size_bytes == 7

    def test_is_not_in_strangers(self, web: Web) -> None:
        error = failure(web, ca_pem=None)
        assert type(error) is ConfigurationError
        assert str(error).startswith(
            f"cannot read https://{web.host}/garden.ply: the certificate of https://{web.host} is not trusted ("
        )
        assert str(error).endswith("); put its CA into the Secret of s3.caSecretRef")
        assert web.front.count() == 0, "no request, so no signature, goes to a stranger"

    def test_is_not_in_another_ca(self, web: Web, other_ca: str) -> None:
        assert str(failure(web, ca_pem=other_ca)).endswith("; correct the CA in the Secret of s3.caSecretRef")

    def test_is_in_anyone_when_told(self, web: Web, tmp_path: Path) -> None:
        store = web.store(ca_pem=None, insecure_skip_tls_verify=True)
        store.download("garden.ply", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"a scene"


class TestServer:
    @pytest.mark.parametrize("name", ["IP:127.0.0.2", "DNS:web.example"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_has_the_certificate_of_another(self, web: Web, host: str, name: str) -> None:
        with FaultProxy(web.files.url, make_server_context(web.authority, name), host) as other:
            error = failure(web, other.endpoint.removeprefix("https://"))
            assert other.count() == 0
        assert type(error) is ConfigurationError
        assert f"{other.endpoint} is for another host name; correct spec.source.uri or the certificate" in str(error)

    def test_does_not_speak_tls(self, web: Web) -> None:
        error = failure(web, web.files.url.removeprefix("http://"))
        assert type(error) is ConfigurationError
        assert "does not speak TLS; correct spec.source.uri" in str(error)

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    def test_speaks_only_an_old_tls(self, web: Web) -> None:
        tls = make_server_context(web.authority, "IP:127.0.0.1")
        tls.set_ciphers("DEFAULT:@SECLEVEL=0")
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=greet, args=(listener, tls))
            thread.start()
            host = f"127.0.0.1:{listener.getsockname()[1]}"
            error = failure(web, host)
            thread.join()
        assert type(error) is ConfigurationError
        assert f"https://{host} speaks no TLS of version 1.2 or later; correct" in str(error)


def greet(listener: socket.socket, tls: ssl.SSLContext) -> None:
    """Shake hands with one client, who does not want it. asyncio would leave without telling why."""
    client, _ = listener.accept()
    with client, contextlib.suppress(ssl.SSLError):
        tls.wrap_socket(client, server_side=True).close()


PASSWORD = "pass:w0rd-of-proxy"  # noqa: S105


class TestProxy:
    @pytest.fixture
    def forward(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
        """Run a proxy for HTTPS and name it in the environment."""
        with FaultProxy(web.files.url, rules=[Rule(tunnel)]) as running:
            monkeypatch.setenv("HTTPS_PROXY", running.endpoint)
            yield running

    def test_is_gone_through(self, web: Web, forward: FaultProxy, tmp_path: Path) -> None:
        web.store().download("garden.ply", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"a scene"
        assert {(request.method, request.target) for request in forward.requests} == {("CONNECT", web.host)}

    @pytest.mark.parametrize("names", ["127.0.0.1", "other.example,127.0.0.1", "*"])
    def test_is_passed_by(self, web: Web, forward: FaultProxy, monkeypatch: pytest.MonkeyPatch, names: str) -> None:
        monkeypatch.setenv("NO_PROXY", names)
        assert web.store().stat("garden.ply").size_bytes == 7
        assert forward.count() == 0

    def test_is_told_its_password(self, web: Web, forward: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        place = forward.endpoint.removeprefix("http://")
        monkeypatch.setenv("HTTPS_PROXY", f"user:{PASSWORD.replace(':', '%3A')}@{place}")
        assert web.store().stat("garden.ply").size_bytes == 7
        sent = forward.requests[0].headers["proxy-authorization"].removeprefix("Basic ")
        assert base64.b64decode(sent).decode() == f"user:{PASSWORD}"

    def test_may_refuse(self, web: Web, forward: FaultProxy) -> None:
        forward.rules[:] = [Rule(answer(407))]
        error = failure(web)
        assert type(error) is ServiceUnavailableError
        assert str(error) == (
            f"cannot read https://{web.host}/garden.ply: the proxy does not connect to https://{web.host}"
            " (Tunnel connection failed: 407 Scripted); correct HTTPS_PROXY or NO_PROXY"
        )

    def test_may_be_away(self, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PASSWORD}@proxy.invalid:3128")
        error = failure(web)
        assert "the proxy does not connect to" in str(error)
        assert PASSWORD not in str(error)

    @pytest.mark.parametrize("url", [f"socks5://user:{PASSWORD}@proxy:1080", f"http://user:{PASSWORD}@[1:80"])
    def test_may_be_none(self, web: Web, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(ConfigurationError, match="HTTPS_PROXY is not http://host:port of a proxy") as caught:
            web.store()
        assert caught.value.__context__ is None, "its text has the password"
