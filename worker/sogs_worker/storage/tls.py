"""Certificates of authorities beyond the system's."""

from __future__ import annotations

import ssl

from sogs_worker.errors import ConfigurationError
from sogs_worker.storage.connection import Connection


def add_authorities(context: ssl.SSLContext, connection: Connection) -> None:
    """Let a context trust a connection's CA, if it has one, too.

    Raises:
        ConfigurationError: it is no certificate.
    """
    if connection.ca_pem is None:
        return
    pem = connection.ca_pem.encode("ascii", "ignore").decode()  # bundles have comments in all languages
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"the {connection.side}'s CA is not a PEM certificate; correct ca.crt in the Secret of s3.caSecretRef"
        ) from error
