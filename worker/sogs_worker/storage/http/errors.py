"""What a web server or the network does, as one of our errors: the address without its query, and the remedy."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerError

from sogs_worker.errors import (
    BadInputError,
    ConfigurationError,
    NotPermittedError,
    ServiceUnavailableError,
    SourceMissingError,
    StorageError,
    UsageError,
    WorkerError,
)
from sogs_worker.storage.http.address import Address
from sogs_worker.storage.transfer.retry import Verdict

FAILURES = (HTTPError, ValueError)
"""What the library raises; ValueError of an address that cannot be asked for."""

LATER = (408, 425, 429)
NEVER = (501, 505)
"""The server errors that are no passing trouble."""

OTHER_HOST = (62, 64)
"""OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (x509_vfy.h)."""
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
OLD_TLS = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION")


class RequestError(Exception):
    """A request that failed.

    It is raised outside of the handler of what the library raised: a library's error may quote the address with its
    query, so it must not be in the chain of ours.
    """

    def __init__(self, error: WorkerError, verdict: Verdict = Verdict.PERMANENT, pause_s: float = 0.0) -> None:
        """Describe it.

        Args:
            error: what to raise if it is not overcome.
            verdict: whether another try may help.
            pause_s: how long the server asks to be left alone.
        """
        super().__init__(str(error))
        self.error = error
        self.verdict = verdict
        self.pause_s = pause_s


def judge(error: Exception) -> Verdict:
    """Tell whether another try may help; what is no failure of the transfer (a full disk) stays."""
    return error.verdict if isinstance(error, RequestError) else Verdict.PERMANENT


def asked_pause(error: Exception) -> float:
    """Tell how many seconds the server asks to be left alone."""
    return error.pause_s if isinstance(error, RequestError) else 0.0


@contextmanager
def translated() -> Iterator[None]:
    """Raise the faults inside as our errors; everything else passes."""
    try:
        yield
    except RequestError as fault:
        raise fault.error from None


def fault_of_status(address: Address, status: int, retry_after: str | None) -> RequestError:
    """Tell what an answer means that is not the file.

    Args:
        address: that was asked.
        status: of the answer.
        retry_after: its header; a date in place of seconds is passed over.
    """
    uri, server = address.uri, address.server
    if status in (401, 403):
        return RequestError(
            NotPermittedError(
                f"{server} does not let this run read {uri} ({status}); sign the address anew if it has expired,"
                " make the file readable or correct spec.source.uri"
            )
        )
    if status in (404, 410):
        return RequestError(SourceMissingError(f"{uri} does not exist; upload it or correct spec.source.uri"))
    if status in LATER or (status >= 500 and status not in NEVER):
        pause_s = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        error = ServiceUnavailableError(f"{server} cannot send {uri} now ({status}); try again later")
        return RequestError(error, Verdict.TRANSIENT, pause_s)
    return RequestError(ConfigurationError(f"{server} refuses to send {uri} ({status}); check spec.source.uri"))


def fault_before_answer(address: Address, error: Exception, *, has_ca: bool) -> RequestError:
    """Tell what happened instead of an answer."""
    uri, server = address.uri, address.server
    match error:
        case ValueError():
            return RequestError(UsageError(f"{uri} is not an address that can be asked for; correct spec.source.uri"))
        case SSLError():
            return fault_of_tls(address, error.args[0], has_ca=has_ca)
        case ProxyError():
            text = (
                f"cannot read {uri}: the proxy does not connect to {server} ({error.original_error});"
                " correct HTTPS_PROXY or NO_PROXY"
            )
        case NameResolutionError():
            text = (
                f"cannot read {uri}: the host name of {server} cannot be resolved; correct spec.source.uri or the DNS"
            )
        case NewConnectionError():
            text = (
                f"cannot read {uri}: {server} cannot be reached ({reason_of(error)});"
                " check spec.source.uri and that the server runs"
            )
        case _:
            return silence(address, error)
    return RequestError(ServiceUnavailableError(text), Verdict.UNREACHED)


def fault_in_body(address: Address, error: Exception) -> RequestError:
    """Tell how an answer broke off."""
    if isinstance(error, NoAnswerError):
        return silence(address, error, Verdict.TRANSIENT)
    text = f"the transfer of {address.uri} broke off ({type(error).__name__}); it is worth another try"
    return RequestError(StorageError(text), Verdict.TRANSIENT)


def fault_of_tls(address: Address, error: Exception, *, has_ca: bool) -> RequestError:
    """Tell a certificate of another host from one that is not trusted, from a server without TLS, from a cut."""
    uri, server = address.uri, address.server
    reason = getattr(error, "reason", None) or type(error).__name__
    remedy = "correct spec.source.uri"
    match error:
        case ssl.SSLCertVerificationError() if error.verify_code in OTHER_HOST:
            fault = f"the certificate of {server} is for another host name"
            remedy += " or the certificate"
        case ssl.SSLCertVerificationError():
            fault = f"the certificate of {server} is not trusted ({error.verify_message})"
            remedy = f"{'correct the CA in' if has_ca else 'put its CA into'} the Secret of s3.caSecretRef"
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return silence(address, error)
        case _ if reason in NO_TLS:
            fault = f"{server} does not speak TLS"
        case _ if reason in OLD_TLS:
            fault = f"{server} speaks no TLS of version 1.2 or later"
        case _:
            fault = f"TLS with {server} fails ({reason})"
    return RequestError(ConfigurationError(f"cannot read {uri}: {fault}; {remedy}"))


def silence(address: Address, error: Exception, verdict: Verdict = Verdict.UNREACHED) -> RequestError:
    """Say that there is no answer, or no more of it."""
    text = f"cannot read {address.uri}: {address.server} does not answer ({type(error).__name__}); try again later"
    return RequestError(ServiceUnavailableError(text), verdict)


def changed(address: Address) -> RequestError:
    """Say that what is sent is not of the version that was looked at, or not what was asked for."""
    text = f"{address.uri} changed while it was read, or its server does not keep to what it said of it; run it again"
    return RequestError(StorageError(text))


def unreadable(address: Address, flaw: str) -> RequestError:
    """Say that an answer is of a kind that would be the same at the next try, so that none is made."""
    return RequestError(BadInputError(f"{address.uri} {flaw}; let {address.server} send it as a plain file"))


def reason_of(error: Exception) -> str:
    """Name what the system says."""
    cause = error.__cause__
    return (isinstance(cause, OSError) and cause.strerror) or type(error).__name__
