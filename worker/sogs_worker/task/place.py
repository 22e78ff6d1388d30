"""One side of a run: where it is, how to reach it, and the secrets for that."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sogs_worker.errors import ConfigurationError, UsageError
from sogs_worker.storage.connection import AddressingStyle, Connection, Credentials, Encryption, Side
from sogs_worker.storage.location import Location, parse_location
from sogs_worker.task.fields import Fields

ADDRESSING_STYLES: tuple[AddressingStyle, ...] = ("auto", "path", "virtual")
ENCRYPTIONS = ("AES256", "aws:kms")


@dataclass(frozen=True)
class Place:
    """One side of a run: an object or a prefix, and how to reach it."""

    location: Location
    connection: Connection


def is_same_place(one: Place, other: Place) -> bool:
    """Say whether two sides speak of the same bucket or claim."""
    return (one.location.address, one.connection.endpoint) == (other.location.address, other.connection.endpoint)


def parse_place(fields: Fields, side: Side, environment: Mapping[str, str]) -> Place:
    """Parse a side's address and connection."""
    location = parse_location(fields.required("uri", str), f"spec.{side}.uri")
    options = Fields(fields.optional("s3", dict) or {}, f"{side}.s3")
    connection = Connection(
        side=side,
        endpoint=parse_endpoint(options.optional("endpoint", str)),
        region=options.optional("region", str),
        addressing_style=options.choice("addressingStyle", ADDRESSING_STYLES, "auto"),
        insecure_skip_tls_verify=bool(options.optional("insecureSkipTLSVerify", bool)),
        encryption=parse_encryption(options.optional("serverSideEncryption", dict), side),
        credentials=parse_credentials(side, environment),
        secret_name=environment.get(f"SPLATS_CREDENTIALS_{side.upper()}"),
        ca_pem=environment.get(f"{side.upper()}_CA_PEM"),
    )
    options.finish()
    return Place(location, connection)


def parse_endpoint(text: str | None) -> str | None:
    """Check that an endpoint is a URL."""
    if text is not None and not re.match("https?://[^/]", text):
        raise UsageError(f"s3.endpoint is {text!r}, it must begin with http:// or https://")
    return text


def parse_encryption(document: object, side: Side) -> Encryption | None:
    """Parse the encryption at rest."""
    if document is None:
        return None
    fields = Fields(document, f"{side}.s3.serverSideEncryption")
    encryption = Encryption(fields.choice("type", ENCRYPTIONS, "AES256"), fields.optional("kmsKeyId", str))
    fields.finish()
    if encryption.kms_key_id and encryption.type != "aws:kms":
        raise UsageError("s3.serverSideEncryption.kmsKeyId is given, so its type must be aws:kms")
    return encryption


def parse_credentials(side: Side, environment: Mapping[str, str]) -> Credentials | None:
    """Take a side's key pair from the environment; None where there is none at all."""
    prefix = side.upper()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    # A Secret made from a file often ends in a line break, which no key has.
    key, secret, token = (environment.get(f"{prefix}_{name}", "").strip() for name in names)
    if not key and not secret:
        return None
    if not key or not secret:
        holder = environment.get(f"SPLATS_CREDENTIALS_{prefix}", f"of the {side}'s credentials")
        raise ConfigurationError(f"the Secret {holder} has no {names[1] if key else names[0]}; add that key to it")
    return Credentials(key, secret, token or None)
