"""One file of a web server: what is said of it, and its bytes in ranges or in one stream, all of one version."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from sogs_worker.storage.http.address import Address
from sogs_worker.storage.http.client import Answer, HttpClient
from sogs_worker.storage.http.errors import RequestError, changed, fault_of_status, unreadable

WHOLE, PART, CHANGED, NO_SUCH_RANGE = 200, 206, 412, 416

EXPIRED = (400, 401, 403, 404, 410)
"""What servers say of a signed address that is too old: S3 and Azure 403, Google 400, others what they like."""

FIRST_BYTE = {"Range": "bytes=0-0"}
FIRST_BYTE_OF = re.compile(r"bytes 0-0/(\d+)")

THIS_RUN = uuid.uuid4().hex
"""Stands for the version of a file whose server names none, so that no other run takes it for the same."""


@dataclass(frozen=True)
class Look:
    """What a server says of a file.

    Attributes:
        address: where it is sent from, after all redirects.
        size_bytes: its length.
        etag: its version, see `version_of`.
        has_ranges: whether parts of it can be asked for and be known to be of this version.
    """

    address: Address
    size_bytes: int
    etag: str
    has_ranges: bool


@dataclass(frozen=True)
class HttpFile:
    """A file at an address, which may lead to another one."""

    client: HttpClient
    origin: Address

    def look(self) -> Look:
        """Ask what there is. By GET, as signed addresses are often good for nothing else.

        Raises:
            RequestError: there is no such file, or its length is not told.
        """
        with closing(self.client.get(self.origin, FIRST_BYTE)) as answer:
            if answer.status == PART and (look := look_at_part(answer)):
                answer.read(1)  # so that the connection can be used again
                return look
            if answer.status == WHOLE:
                return look_at_whole(answer)
            if answer.status not in (PART, NO_SUCH_RANGE):
                raise refusal(answer)
        # An empty file has no first byte, and a part may tell too little.
        with closing(self.client.get(self.origin, {})) as answer:
            if answer.status != WHOLE:
                raise refusal(answer)
            return look_at_whole(answer)

    def open(self, look: Look) -> Answer:
        """Ask for all of the version that was looked at.

        Raises:
            RequestError: it is refused, or another version is sent.
        """
        answer = self.client.get(self.origin, condition(look.etag))
        return checked(answer, look, status=WHOLE, size_bytes=look.size_bytes, interval=None)


class Ranges:
    """The ranges of one version of a file. May be used by several threads."""

    def __init__(self, file: HttpFile, look: Look) -> None:
        """Describe them; nothing is sent yet."""
        self._file = file
        self._look = look
        self._lock = threading.Lock()

    def open(self, span: range) -> Answer:
        """Ask for a range, and where a redirect has led, first whether it still leads there if it is refused.

        Raises:
            RequestError: it is refused, or something else is sent.
        """
        look = self._look
        answer = self._ask(look, span)
        if answer.status in EXPIRED and look.address != self._file.origin:
            answer.close()
            look = self._renewed(look)
            answer = self._ask(look, span)
        interval = f"bytes {span.start}-{span.stop - 1}/{look.size_bytes}"
        return checked(answer, look, status=PART, size_bytes=len(span), interval=interval)

    def _ask(self, look: Look, span: range) -> Answer:
        interval = {"Range": f"bytes={span.start}-{span.stop - 1}"}
        return self._file.client.get(look.address, interval | condition(look.etag))

    def _renewed(self, expired: Look) -> Look:
        """Follow the redirects anew, once for all threads that find the same address expired."""
        with self._lock:
            if self._look is expired:
                look = self._file.look()
                if look.etag != expired.etag or not look.has_ranges:
                    raise changed(look.address)
                self._look = look
            return self._look


def look_at_part(answer: Answer) -> Look | None:
    """Read the head of an answer that is the first byte; None if it does not do for fetching the file in ranges."""
    refuse_encoding(answer)
    headers = answer.headers
    first = FIRST_BYTE_OF.fullmatch(headers.get("Content-Range", ""))
    if not first or length_of(headers) != 1 or not ("ETag" in headers or "Last-Modified" in headers):
        return None
    size_bytes = int(first[1])
    return Look(answer.address, size_bytes, version_of(headers, size_bytes), has_ranges=True)


def look_at_whole(answer: Answer) -> Look:
    """Read the head of an answer that is the whole file."""
    refuse_encoding(answer)
    size_bytes = length_of(answer.headers)
    if size_bytes is None:
        raise unreadable(answer.address, "is sent without its length, so nothing tells when it is complete")
    return Look(answer.address, size_bytes, version_of(answer.headers, size_bytes), has_ranges=False)


def version_of(headers: Mapping[str, str], size_bytes: int) -> str:
    """Name the version that an answer is of: those of one file are the same where these texts are.

    That is its strong ETag; else a weak one or the time of the last change, each with the file's length.
    """
    etag = headers.get("ETag", "")
    if is_strong(etag):
        return etag
    return f"{etag or headers.get('Last-Modified', THIS_RUN)} {size_bytes}"


def condition(etag: str) -> dict[str, str]:
    """Name the headers that ask for this version only; a weak ETag never fulfils them (RFC 9110, 13.1.1)."""
    return {"If-Match": etag} if is_strong(etag) else {}


def is_strong(etag: str) -> bool:
    """Say whether an ETag is the same for the same bytes only (RFC 9110, 8.8.1)."""
    return etag.startswith('"')


def length_of(headers: Mapping[str, str]) -> int | None:
    """Read how many bytes the body has; None where that is not told before its end."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and "Transfer-Encoding" not in headers else None


def refuse_encoding(answer: Answer) -> None:
    """Refuse a body that is not the file's bytes as they are."""
    if (encoding := encoding_of(answer.headers)) != "identity":
        raise unreadable(answer.address, f"is sent in the encoding {encoding!r}, though identity was asked for")


def encoding_of(headers: Mapping[str, str]) -> str:
    """Read what was done to the file's bytes on the way."""
    return headers.get("Content-Encoding", "identity").lower()


def checked(answer: Answer, look: Look, *, status: int, size_bytes: int, interval: str | None) -> Answer:
    """Give the answer back if it is so many bytes of the version that was looked at."""
    headers = answer.headers
    got = (answer.status, length_of(headers), headers.get("Content-Range"), encoding_of(headers))
    if got == (status, size_bytes, interval, "identity") and version_of(headers, look.size_bytes) == look.etag:
        return answer
    answer.close()
    raise changed(answer.address) if answer.status in (WHOLE, PART, CHANGED, NO_SUCH_RANGE) else refusal(answer)


def refusal(answer: Answer) -> RequestError:
    """Say what an answer means that is not the file."""
    return fault_of_status(answer.address, answer.status, answer.headers.get("Retry-After"))
