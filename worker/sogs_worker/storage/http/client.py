"""Requests to web servers: whom they trust, how long they wait, through which proxy, and after which redirects."""

from __future__ import annotations

import logging
import ssl
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, ProxyManager, Timeout, make_headers
from urllib3.exceptions import InsecureRequestWarning, LocationValueError
from urllib3.util import parse_url

from sogs_worker.errors import ConfigurationError
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.http.address import Address
from sogs_worker.storage.http.errors import FAILURES, RequestError, fault_before_answer, fault_in_body
from sogs_worker.storage.tls import add_authorities
from sogs_worker.storage.transfer.download import THREADS

MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)

# Of the bytes as they lie there, as their ranges have to fit together; some servers refuse an unnamed client.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "sogs-worker"}


class Answer:
    """A server's answer, of which only the head has been read. Close it if the body is not read to its end."""

    def __init__(self, address: Address, response: BaseHTTPResponse) -> None:
        """Take the library's answer to a request for `address`."""
        self.address = address
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response

    def read(self, size_bytes: int, /) -> bytes:
        """Give the next bytes, none at the end; a RequestError if the body ends before its announced length."""
        try:
            return self._response.read(size_bytes, decode_content=False)
        except FAILURES as error:
            fault = fault_in_body(self.address, error)
        raise fault

    def close(self) -> None:
        """End the connection."""
        self._response.close()


class HttpClient:
    """Asks web servers. May be used by several threads."""

    def __init__(self, connection: Connection) -> None:
        """Prepare it; nothing is sent yet.

        Args:
            connection: says whom to trust and how long to wait.

        Raises:
            ConfigurationError: an unreadable CA, or a proxy of the environment that is none.
        """
        # Its lines at the level of debugging show whole addresses.
        logging.getLogger("urllib3").setLevel(logging.CRITICAL)
        if connection.insecure_skip_tls_verify:
            warnings.filterwarnings("ignore", category=InsecureRequestWarning)
        self._has_ca = connection.ca_pem is not None
        options: dict[str, Any] = {
            "ssl_context": trust(connection),
            "timeout": Timeout(connect=connection.patience.connect_s, read=connection.patience.read_s),
            "maxsize": THREADS,
        }
        self._direct = PoolManager(**options)
        self._proxy = open_proxy(getproxies().get("https"), options)

    def get(self, address: Address, headers: Mapping[str, str]) -> Answer:
        """Ask for a file, wherever it has been moved to.

        Raises:
            RequestError: no answer, or a redirect that is not followed: one too many, to no address or to no TLS.
        """
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._ask(address, headers)
            location = answer.headers.get("Location")
            if answer.status not in REDIRECTS or location is None:
                return answer
            answer.close()
            address = follow(address, location)
        raise refused_redirect(address, f"more than {MOST_REDIRECTS} times")

    def _ask(self, address: Address, headers: Mapping[str, str]) -> Answer:
        try:
            response = self._pool(address.host).urlopen(
                "GET",
                address.target,
                headers={**HEADERS, **headers},
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except FAILURES as error:
            fault = fault_before_answer(address, error, has_ca=self._has_ca)
        else:
            return Answer(address, response)
        raise fault

    def _pool(self, host: str) -> HTTPConnectionPool:
        """Give the connections to a host, through the proxy unless NO_PROXY names it."""
        manager = self._direct if self._proxy is None or proxy_bypass(host) else self._proxy
        parts = urlsplit(f"//{host}")
        return manager.connection_from_host(parts.hostname, parts.port, scheme="https")


def follow(address: Address, location: str) -> Address:
    """Give the address that a redirect leads to, if it is one of TLS."""
    try:
        scheme, target = address.redirected(location)
    except ValueError:
        fault = refused_redirect(address, "to what is no address")
    else:
        if scheme == "https":
            return target
        fault = refused_redirect(address, f"to {scheme}://{target.host}, which is not https")
    raise fault


def refused_redirect(address: Address, whither: str) -> RequestError:
    """Say which redirect is not followed."""
    text = f"{address.server} redirects {address.uri} {whither}; correct spec.source.uri or the server"
    return RequestError(ConfigurationError(text))


def trust(connection: Connection) -> ssl.SSLContext:
    """Say whom to trust: the system's authorities and the given CA, or anyone.

    Raises:
        ConfigurationError: the CA is no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if connection.insecure_skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    add_authorities(context, connection)
    return context


def open_proxy(url: str | None, options: Mapping[str, Any]) -> ProxyManager | None:
    """Prepare for the proxy of HTTPS_PROXY; None where there is none.

    Raises:
        ConfigurationError: it is not the address of a proxy for HTTP. The address may hold a password and is not shown.
    """
    if not url:
        return None
    url = url if "://" in url else f"http://{url}"
    try:
        password = parse_url(url).auth
        headers = make_headers(proxy_basic_auth=unquote(password)) if password else {}
        return ProxyManager(url, proxy_headers=headers, **options)
    except LocationValueError:
        fault = ConfigurationError("HTTPS_PROXY is not http://host:port of a proxy; correct it or unset it")
    raise fault
