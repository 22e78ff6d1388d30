"""Connections to a test's S3 server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from s3_server import Identity, S3Server
from sogs_worker.storage.connection import Connection, Credentials, Patience

PATIENT = Patience(connect_s=5.0, read_s=10.0, contact_s=0.15, budget_s=10.0, first_pause_s=0.005, longest_pause_s=0.02)
"""Overcomes what passes, on a busy machine too; only the pauses are short."""

HASTY = replace(PATIENT, read_s=0.4, budget_s=0.6)
"""Gives up soon."""


def build_connection(server: S3Server, identity: Identity | None = None, **changes: Any) -> Connection:
    """Connect as `identity` (the administrator if None), with any field changed."""
    identity = identity or server.admin
    fields: dict[str, Any] = {
        "side": "source",
        "endpoint": server.endpoint,
        "region": "us-east-1",
        "addressing_style": "path",
        "credentials": Credentials(identity.access_key, identity.secret_key),
        "secret_name": "s3-credentials",
        "patience": PATIENT,
    }
    return Connection(**{**fields, **changes})
