"""The SDK's client, as a connection asks for it."""

from __future__ import annotations

import logging
import ssl
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader
from urllib3.exceptions import InsecureRequestWarning

from sogs_worker.errors import ConfigurationError
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.tls import add_authorities

CONNECTIONS = 16
"""Kept open: more than the threads of one transfer, so that two may overlap."""


def open_client(connection: Connection, scratch: Path) -> Any:
    """Make the SDK's client, quiet and bounded in time; nothing is sent yet.

    Args:
        connection: the server.
        scratch: a folder for the CA bundle, which the SDK wants as a file.

    Raises:
        ConfigurationError: an unreadable CA or an endpoint, region or profile that the SDK does not take.
    """
    for name in ("botocore", "boto3", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if connection.insecure_skip_tls_verify:
        warnings.filterwarnings("ignore", category=InsecureRequestWarning)
    try:
        session = botocore.session.get_session()
        session.register_component("data_loader", descriptions(session.get_config_variable("data_path")))
        client = boto3.session.Session(botocore_session=session).client(
            "s3",
            endpoint_url=connection.endpoint,
            region_name=connection.region,
            verify=trust(connection, scratch),
            config=client_options(connection),
            **explicit_credentials(connection),
        )
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the {connection.side}'s S3 connection cannot be set up: {error}; correct spec.{connection.side}.s3"
        ) from error
    # The SDK asks for a bucket's region when it is redirected, and again when that is redirected, without an end.
    client.meta.events.register("before-call.s3.HeadBucket", forbid_redirect)
    return client


@cache
def descriptions(more: str | None) -> Any:
    """Return what the SDK knows of services: megabytes of JSON, read once for the clients of both sides.

    Args:
        more: folders of the user's own to look into too, as `AWS_DATA_PATH` has them.
    """
    return create_loader(more)


def forbid_redirect(context: dict[str, Any], **_arguments: Any) -> None:
    """Take a redirect of this request as its answer."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def client_options(connection: Connection) -> Config:
    """Say how the SDK speaks to the server."""
    return Config(
        s3={"addressing_style": connection.addressing_style},
        connect_timeout=connection.patience.connect_s,
        read_timeout=connection.patience.read_s,
        max_pool_connections=CONNECTIONS,
        # One attempt: the SDK counts attempts and has a quota of its own; ours have a budget of time (retry.py).
        retries={"mode": "standard", "total_max_attempts": 1},
        # Servers other than AWS often refuse the SDK's newer default checksums, which are trailers; ours are headers.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )


def explicit_credentials(connection: Connection) -> dict[str, str | None]:
    """Name the client's arguments for the Secret's credentials; none lets the SDK ask its own chain."""
    credentials = connection.credentials
    if credentials is None:
        return {}
    return {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }


def trust(connection: Connection, scratch: Path) -> bool | str | None:
    """Say whom to trust, in the SDK's terms: False nobody's check, a file of certificates, None the SDK's own."""
    if connection.insecure_skip_tls_verify:
        return False
    if connection.ca_pem is None:
        return None
    add_authorities(ssl.create_default_context(), connection)
    bundle = scratch / f"{connection.side}-ca.pem"
    bundle.write_text(connection.ca_pem, encoding="utf-8")
    return str(bundle)
