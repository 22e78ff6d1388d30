"""What an S3 server or the SDK reports, as one of our errors: the object, the Secret or the field, and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from botocore import exceptions as sdk
from urllib3.exceptions import NameResolutionError

from sogs_worker.errors import (
    ConfigurationError,
    NotPermittedError,
    ServiceUnavailableError,
    SourceMissingError,
    StorageError,
    UsageError,
    WorkerError,
)
from sogs_worker.storage.base import ConflictError
from sogs_worker.storage.connection import Connection
from sogs_worker.storage.transfer.retry import Verdict

FAILURES = (sdk.BotoCoreError, sdk.ClientError)


class Diagnosis(NamedTuple):
    """An error's class, its sentence, to be filled in by `Attempt.describe`, and whether another try may help."""

    error: type[WorkerError]
    template: str
    verdict: Verdict = Verdict.PERMANENT


OVERLOADED = Diagnosis(
    ServiceUnavailableError, "{server} cannot {verb} {uri} now ({detail}); try again later", Verdict.TRANSIENT
)
BROKEN = Diagnosis(
    StorageError, "the transfer of {uri} broke off ({detail}); it is worth another try", Verdict.TRANSIENT
)
DAMAGED = Diagnosis(StorageError, "{uri} arrived at {server} with other bytes than were sent ({detail}); run it again")
SILENT = Diagnosis(
    ServiceUnavailableError,
    "cannot {verb} {uri}: {server} does not answer ({detail}); try again later",
    Verdict.UNREACHED,
)
REFUSES_CONNECTIONS = Diagnosis(
    ServiceUnavailableError,
    "cannot {verb} {uri}: {server} refuses connections; check s3.endpoint and that the server runs",
    Verdict.UNREACHED,
)
NO_ADDRESS = Diagnosis(
    ServiceUnavailableError,
    "cannot {verb} {uri}: the host name of {server} cannot be resolved; correct s3.endpoint or the DNS",
    Verdict.UNREACHED,
)
DENIED = Diagnosis(
    NotPermittedError,
    "the {identity} may not {verb} {uri} ({detail}); grant it that or correct spec.{side}.uri",
)
WRONG_KEY = Diagnosis(
    NotPermittedError, "cannot {verb} {uri}: {server} does not accept the {identity} ({detail}); correct it"
)
EXPIRED = Diagnosis(NotPermittedError, "cannot {verb} {uri}: the {identity} has expired ({detail}); renew it")
REFUSED = Diagnosis(
    ConfigurationError, "{server} refuses to {verb} {uri} ({detail}); check s3.endpoint and spec.{side}.uri"
)
WRONG_REGION = Diagnosis(
    ConfigurationError,
    "the bucket {bucket!r} of {uri} is not in the region asked for ({detail}); correct s3.region or s3.endpoint",
)
WRONG_CLOCK = Diagnosis(
    ConfigurationError,
    "cannot {verb} {uri}: this node's clock is too far from that of {server} ({detail}); set the node's clock",
)
OTHER_HOST = Diagnosis(
    ConfigurationError,
    "cannot {verb} {uri}: the certificate of {server} is for another host name; correct s3.endpoint or the certificate",
)
UNTRUSTED = "cannot {verb} {uri}: the certificate of {server} is not trusted; "
WRONG_CA = Diagnosis(ConfigurationError, UNTRUSTED + "correct the CA in the Secret of s3.caSecretRef")
UNKNOWN_CA = Diagnosis(ConfigurationError, UNTRUSTED + "put its CA into the Secret of s3.caSecretRef")
NO_TLS = Diagnosis(
    ConfigurationError,
    "cannot {verb} {uri}: {server} does not speak TLS; correct the scheme or the port of s3.endpoint",
)
NO_ENCRYPTION = Diagnosis(
    ConfigurationError, "{server} cannot encrypt {uri} as asked ({detail}); correct s3.serverSideEncryption"
)
NO_CREDENTIALS = Diagnosis(
    ConfigurationError, "there are no credentials for {uri}; name their Secret in s3.credentialsSecretRef"
)
PARTIAL_CREDENTIALS = Diagnosis(ConfigurationError, "the {identity} is unusable for {uri} ({detail}); complete it")
NO_ADDRESSEE = Diagnosis(UsageError, "{uri} is not an address that S3 takes; correct spec.{side}.uri")
NO_BUCKET = "the bucket {bucket!r} does not exist on {server} to {verb} {uri}; create it or correct spec.{side}.uri"
NO_OBJECT = Diagnosis(SourceMissingError, "{uri} does not exist; upload it or correct spec.{side}.uri")
CONFLICT = Diagnosis(
    ConflictError, "{uri} was written by another since it was looked at ({detail}); use what is there or delete it"
)
CHANGED = Diagnosis(StorageError, "{uri} changed while it was read ({detail}); run it again when its writer is done")

PRECONDITION_FAILED = ("PreconditionFailed", "412")
NOT_IMPLEMENTED = ("NotImplemented", "XNotImplemented", "501")

# Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
BY_CODE: dict[str, Diagnosis] = {
    "NoSuchKey": NO_OBJECT,
    "404": NO_OBJECT,
    "AccessDenied": DENIED,
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"), WRONG_KEY),
    **dict.fromkeys(("ExpiredToken", "TokenRefreshRequired", "RequestExpired"), EXPIRED),
    "RequestTimeTooSkewed": WRONG_CLOCK,
    **dict.fromkeys(
        (
            *("PermanentRedirect", "TemporaryRedirect", "Redirect", "301", "302", "307"),
            *("AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ),
        WRONG_REGION,
    ),
    **dict.fromkeys(("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"), DAMAGED),
    **dict.fromkeys(PRECONDITION_FAILED, CHANGED),
    "NoSuchUpload": BROKEN._replace(verdict=Verdict.PERMANENT),
    "IncompleteBody": BROKEN,
    **dict.fromkeys(
        (
            *("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "RequestLimitExceeded"),
            *("OperationAborted", "ConditionalRequestConflict"),
        ),
        OVERLOADED,
    ),
}

BY_CODE_OF_CONDITIONAL_WRITE: dict[str, Diagnosis] = {
    **dict.fromkeys((*PRECONDITION_FAILED, "NoSuchKey", "404"), CONFLICT),
    # AWS: another writer is at it in this moment. The next try finds what that one left.
    "ConditionalRequestConflict": CONFLICT._replace(verdict=Verdict.TRANSIENT),
}


@dataclass(frozen=True)
class Attempt:
    """What was tried when it failed.

    Attributes:
        verb: "read", "list", "write", "copy" or "delete".
        uri: the object or prefix.
        bucket: its bucket.
        connection: the server's.
        is_conditional: whether it was to be done only if the key holds what was seen.
    """

    verb: str
    uri: str
    bucket: str
    connection: Connection
    is_conditional: bool = False

    def judge(self, error: Exception) -> Verdict:
        """Tell whether another try may help; what is no failure of the transfer (a full disk) stays."""
        return self.diagnose(error).verdict if isinstance(error, FAILURES) else Verdict.PERMANENT

    def diagnose(self, error: Exception) -> Diagnosis:
        """Find the error's class and sentence."""
        if not isinstance(error, sdk.ClientError):
            return diagnose_failure(error, self.connection)
        if self.is_conditional and (known := BY_CODE_OF_CONDITIONAL_WRITE.get(error_code(error.response))):
            return known
        return diagnose_answer(error.response, self.connection)

    def is_refused(self, error: sdk.ClientError) -> bool:
        """Say whether the server does not take such a request, whoever sends it."""
        return self.diagnose(error) in (REFUSED, DAMAGED, NO_ENCRYPTION)

    def translate(self, error: Exception) -> WorkerError:
        """Make our error. The SDK's own text is left out, as it may quote what was sent."""
        detail = error_code(error.response) if isinstance(error, sdk.ClientError) else type(error).__name__
        return self.describe(self.diagnose(error), detail)

    def describe(self, diagnosis: Diagnosis, detail: str) -> WorkerError:
        """Fill the sentence in."""
        sentence = diagnosis.template.format(
            verb=self.verb,
            uri=self.uri,
            bucket=self.bucket,
            side=self.connection.side,
            server=self.connection.server,
            identity=self.connection.identity,
            detail=detail,
        )
        return diagnosis.error(sentence)


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Raise the SDK's failures inside as our errors; everything else passes."""
    try:
        yield
    except FAILURES as error:
        raise attempt.translate(error) from error


def error_code(response: dict[str, Any]) -> str:
    """Read the server's error code; for an answer without a body it is the HTTP status."""
    return str(response.get("Error", {}).get("Code", ""))


def http_status(response: dict[str, Any]) -> int:
    """Read the answer's HTTP status, 0 without one."""
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def may_be_done(error: sdk.ClientError) -> bool:
    """Say whether this is what a repeated write is told where an earlier answer to it was lost."""
    return error_code(error.response) in (*PRECONDITION_FAILED, "NoSuchUpload", "ConditionalRequestConflict")


def is_not_implemented(error: sdk.ClientError) -> bool:
    """Say whether the server refuses a header that it does not know."""
    return error_code(error.response) in NOT_IMPLEMENTED


def diagnose_answer(response: dict[str, Any], connection: Connection) -> Diagnosis:
    """Tell what the server's answer means, by its code and then by its status."""
    code, status = error_code(response), http_status(response)
    if code == "NoSuchBucket":
        # A source's bucket is missing input; a destination's is to be set up first.
        return Diagnosis(SourceMissingError if connection.side == "source" else ConfigurationError, NO_BUCKET)
    if code in BY_CODE:
        return BY_CODE[code]
    if code.startswith("KMS.") or (status in (400, 501) and connection.encryption):
        return NO_ENCRYPTION
    if status in (401, 403):
        return DENIED
    if status == 429 or (status >= 500 and status != 501):
        return OVERLOADED
    return REFUSED


def diagnose_failure(error: Exception, connection: Connection) -> Diagnosis:
    """Tell what happened before or instead of an answer."""
    match error:
        case sdk.NoCredentialsError():
            return NO_CREDENTIALS
        case sdk.PartialCredentialsError() | sdk.CredentialRetrievalError():
            return PARTIAL_CREDENTIALS
        case sdk.ParamValidationError():
            return NO_ADDRESSEE
        case sdk.SSLError():
            return diagnose_tls(str(error), connection)
        case sdk.ConnectTimeoutError() | sdk.ReadTimeoutError() | sdk.ConnectionClosedError():
            return SILENT
        case sdk.ConnectionError() if isinstance(error.kwargs.get("error"), NameResolutionError):
            return NO_ADDRESS
        case sdk.ConnectionError():
            return REFUSES_CONNECTIONS
        case sdk.HTTPClientError() | sdk.IncompleteReadError():
            return BROKEN
        case _:
            return REFUSED


def diagnose_tls(detail: str, connection: Connection) -> Diagnosis:
    """Tell a certificate of another host from one that is not trusted, from a server without TLS, from a cut.

    The words are OpenSSL's and urllib3's.
    """
    if "ostname mismatch" in detail or "IP address mismatch" in detail or "doesn't match" in detail:
        return OTHER_HOST
    if "CERTIFICATE_VERIFY_FAILED" in detail:
        return WRONG_CA if connection.ca_pem else UNKNOWN_CA
    if "WRONG_VERSION_NUMBER" in detail or "record layer" in detail:
        return NO_TLS
    return SILENT
