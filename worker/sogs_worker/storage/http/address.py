"""Addresses on web servers, of which only a part may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from urllib.parse import quote, urljoin, urlsplit

UNCHANGED = "%/:?#[]@!$&'()*+,;=~"
"""What RFC 3986 gives a meaning in an address, and its sign for bytes that are written as numbers."""


@dataclass(frozen=True)
class Address:
    """Where a file is.

    Attributes:
        uri: names the file in messages, as its user wrote it but without the query; redirects leave it.
        host: which server to ask, `example.org` or `example.org:8443`.
        target: path and query to ask for; never shown, as either may hold a signature.
    """

    uri: str
    host: str
    target: str = field(repr=False)

    @property
    def server(self) -> str:
        """The server, as messages name it."""
        return f"https://{self.host}"

    def redirected(self, location: str) -> tuple[str, Address]:
        """Give the scheme and the address that an answer's `Location` means.

        Args:
            location: as the header has it, one character for each byte.

        Raises:
            ValueError: it is no address.
        """
        joined = urljoin(self.server + self.target, quote(location, safe=UNCHANGED, encoding="latin-1"))
        parts = urlsplit(joined)
        host = parts.netloc.rpartition("@")[2]  # a name and a password, which nobody here sends or shows
        if not parts.hostname or parts.port == 0:  # reading the port checks it
            raise ValueError("no host")
        query = f"?{parts.query}" if parts.query else ""
        return parts.scheme, replace(self, host=host, target=(parts.path or "/") + query)
