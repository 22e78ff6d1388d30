"""What an S3 server or the SDK reports, as one of our errors: the object, the Secret or the field, and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from boto3.exceptions import Boto3Error
from botocore import exceptions as sdk
from s3transfer.exceptions import S3DownloadFailedError  # type: ignore[import-untyped]
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
from sogs_worker.storage.connection import Connection

FAILURES = (sdk.BotoCoreError, sdk.ClientError, Boto3Error, S3DownloadFailedError)


@dataclass(frozen=True)
class Attempt:
    """What was tried when it failed: `verb` is "read", "write" or "delete"."""

    verb: str
    uri: str
    bucket: str
    connection: Connection

    def describe(self, template: str, detail: str) -> str:
        """Fill a sentence in."""
        return template.format(
            verb=self.verb,
            uri=self.uri,
            bucket=self.bucket,
            side=self.connection.side,
            server=self.connection.server,
            identity=self.connection.identity,
            detail=detail,
        )


class Diagnosis(NamedTuple):
    """An error's class and its sentence, to be filled in by `Attempt.describe`."""

    error: type[WorkerError]
    template: str


OVERLOADED = Diagnosis(ServiceUnavailableError, "{server} cannot {verb} {uri} now ({detail}); try again later")
DENIED = Diagnosis(
    NotPermittedError,
    "the {identity} may not {verb} {uri} ({detail}); grant it that or correct spec.{side}.uri",
)
REFUSED = Diagnosis(
    ConfigurationError, "{server} refuses to {verb} {uri} ({detail}); check s3.endpoint and spec.{side}.uri"
)
NO_ENCRYPTION = Diagnosis(
    ConfigurationError, "{server} cannot encrypt {uri} as asked ({detail}); correct s3.serverSideEncryption"
)
BROKEN = Diagnosis(StorageError, "the transfer of {uri} broke off ({detail}); it is worth another try")
NO_BUCKET = "the bucket {bucket!r} does not exist on {server}; create it or correct spec.{side}.uri"
NO_OBJECT = Diagnosis(SourceMissingError, "{uri} does not exist; upload it or correct spec.{side}.uri")
WRONG_KEY = Diagnosis(NotPermittedError, "{server} does not accept the {identity} ({detail}); correct it")
WRONG_REGION = Diagnosis(
    ConfigurationError, "the bucket {bucket!r} is not in the region asked for ({detail}); correct s3.region"
)

# Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
BY_CODE: dict[str, Diagnosis] = {
    "NoSuchKey": NO_OBJECT,
    "404": NO_OBJECT,
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"), WRONG_KEY),
    "ExpiredToken": Diagnosis(NotPermittedError, "the {identity} has expired ({detail}); renew it"),
    "RequestTimeTooSkewed": Diagnosis(
        ConfigurationError, "this node's clock is too far from that of {server} ({detail}); set the node's clock"
    ),
    **dict.fromkeys(
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"), WRONG_REGION
    ),
    **dict.fromkeys(
        ("BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "NoSuchUpload", "PreconditionFailed", "412"),
        BROKEN,
    ),
    **dict.fromkeys(("SlowDown", "RequestTimeout", "ThrottlingException", "OperationAborted"), OVERLOADED),
}


@contextmanager
def translated(attempt: Attempt) -> Iterator[None]:
    """Raise the SDK's failures inside as our errors; everything else passes."""
    try:
        yield
    except FAILURES as error:
        raise translate(error, attempt) from error


def translate(error: Exception, attempt: Attempt) -> WorkerError:
    """Find the error's class and sentence. The SDK's own text is left out, as it may quote what was sent."""
    if isinstance(error, sdk.ClientError):
        diagnosis, detail = diagnose_answer(error.response, attempt.connection), error_code(error.response)
    else:
        diagnosis, detail = diagnose_failure(error, attempt.connection), type(error).__name__
    return diagnosis.error(attempt.describe(diagnosis.template, detail))


def error_code(response: dict[str, Any]) -> str:
    """Read the server's error code; for an answer without a body it is the HTTP status."""
    return str(response.get("Error", {}).get("Code", ""))


def http_status(response: dict[str, Any]) -> int:
    """Read the answer's HTTP status, 0 without one."""
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


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
            return Diagnosis(
                ConfigurationError, "there are no credentials for {uri}; name their Secret in s3.credentialsSecretRef"
            )
        case sdk.PartialCredentialsError() | sdk.CredentialRetrievalError():
            return Diagnosis(ConfigurationError, "the {identity} is unusable for {uri} ({detail}); complete it")
        case sdk.SSLError():
            return Diagnosis(ConfigurationError, tls_sentence(str(error), connection))
        case sdk.ConnectTimeoutError() | sdk.ReadTimeoutError() | sdk.ConnectionClosedError():
            return Diagnosis(ServiceUnavailableError, "{server} does not answer ({detail}); try again later")
        case sdk.ConnectionError() if isinstance(error.kwargs.get("error"), NameResolutionError):
            return Diagnosis(
                ServiceUnavailableError, "the host name of {server} cannot be resolved; correct s3.endpoint or the DNS"
            )
        case sdk.ConnectionError():
            return Diagnosis(
                ServiceUnavailableError, "{server} refuses connections; check s3.endpoint and that the server runs"
            )
        case sdk.ParamValidationError():
            return Diagnosis(UsageError, "{uri} is not an address that S3 takes; correct spec.{side}.uri")
        case _:
            return BROKEN


def tls_sentence(detail: str, connection: Connection) -> str:
    """Tell a certificate that is not trusted from a server that does not speak TLS."""
    if "CERTIFICATE_VERIFY_FAILED" not in detail:
        return "{server} does not speak TLS; correct the scheme or the port of s3.endpoint"
    remedy = "correct the CA in" if connection.ca_pem else "put its CA into"
    return "the certificate of {server} is not trusted; " + remedy + " the Secret of s3.caSecretRef"
