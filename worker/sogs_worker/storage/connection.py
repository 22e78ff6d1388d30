"""How to reach an S3 server: what `spec.s3` says, with the secrets that the environment holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

AddressingStyle = Literal["auto", "path", "virtual"]
Side = Literal["source", "destination"]


@dataclass(frozen=True)
class Credentials:
    """A key pair of an S3 server; never shown."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Encryption:
    """Encryption at rest by the server.

    Attributes:
        type: `AES256` (the server's own key) or `aws:kms`.
        kms_key_id: the key of `aws:kms`; None: the account's default key.
    """

    type: str
    kms_key_id: str | None = None

    def headers(self) -> dict[str, str]:
        """Name the arguments of an upload that ask for it."""
        key = {"SSEKMSKeyId": self.kms_key_id} if self.kms_key_id else {}
        return {"ServerSideEncryption": self.type, **key}


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds.

    Attributes:
        connect_s: for a connection.
        read_s: for the next bytes of an answer.
        contact_s: how long an operation repeats its requests to a server that this run has never reached. Short:
            most likely its address is wrong.
        budget_s: how long an operation repeats its requests while none of them succeeds. A run that gives up loses
            what it has encoded, and servers restart within a minute.
        first_pause_s: at most this long before the first repetition; each further pause may be twice as long.
        longest_pause_s: no pause is longer.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    contact_s: float = 5.0
    budget_s: float = 90.0
    first_pause_s: float = 0.2
    longest_pause_s: float = 10.0


@dataclass(frozen=True)
class Connection:
    """One side's S3 server.

    Attributes:
        side: which part of the spec it serves, for messages.
        endpoint: URL; None: the SDK's own.
        region: None: the SDK's own.
        addressing_style: bucket in the path or in the host name; `auto` lets the SDK choose.
        insecure_skip_tls_verify: accept any certificate.
        encryption: at rest, of what is uploaded; None: the bucket's default.
        credentials: None: the SDK's own chain (environment, web identity, instance role).
        secret_name: the Secret that the credentials came from, for messages.
        ca_pem: certificates to trust instead of the system's, PEM.
        patience: how long to wait for the server.
    """

    side: Side
    endpoint: str | None = None
    region: str | None = None
    addressing_style: AddressingStyle = "auto"
    insecure_skip_tls_verify: bool = False
    encryption: Encryption | None = None
    credentials: Credentials | None = None
    secret_name: str | None = None
    ca_pem: str | None = field(default=None, repr=False)
    patience: Patience = Patience()

    @property
    def server(self) -> str:
        """The server, as messages name it."""
        return self.endpoint or "the SDK's default S3 endpoint"

    @property
    def identity(self) -> str:
        """The credentials, as messages name it."""
        return f"key pair of Secret {self.secret_name!r}" if self.secret_name else "SDK's own key pair"
