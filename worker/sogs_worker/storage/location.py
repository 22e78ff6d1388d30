"""Addresses of objects: what a resource's source and destination say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote

from sogs_worker.errors import UsageError

Scheme = Literal["s3", "https", "pvc", "file"]

ROOTS = {
    # The names every S3 server takes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    "s3": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "a bucket's name", "s3://bucket/key"),
    # No user and password: they would stand in the resource, for all to read.
    "https": (
        re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"),
        "a host's name",
        "https://host/file",
    ),
    # A DNS subdomain: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
    "pvc": (re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"), "a claim's name", "pvc://claim/path"),
}


@dataclass(frozen=True)
class Location:
    """An object, or with a key that is empty or ends in a slash, a prefix.

    Attributes:
        scheme: the kind of place; `file` is a folder of this machine, which no address names.
        root: the bucket, the host with its port, the claim, or the folder's name.
        key: the rest of the address, as it is written there.
        query: of a web address, often a signature: never shown.
    """

    scheme: Scheme
    root: str
    key: str
    query: str = field(default="", repr=False)

    @property
    def is_prefix(self) -> bool:
        """Whether objects go below this location rather than to it."""
        return not self.key or self.key.endswith("/")

    @property
    def file(self) -> PurePosixPath:
        """The object's name without its folder."""
        key = unquote(self.key) if self.scheme == "https" else self.key
        return PurePosixPath(PurePosixPath(key).name)

    @property
    def address(self) -> str:
        """The address of the bucket, server or claim."""
        return f"{self.scheme}://{self.root}/"

    @property
    def uri(self) -> str:
        """The address as people write it."""
        return self.address + self.key


def parse_location(uri: str, field: str) -> Location:
    """Read an address.

    Args:
        uri: `s3://bucket/key`, `s3://bucket/prefix/`, the same with `pvc://claim/`, or `https://host/file`.
        field: where it stands, for the message (`spec.source.uri`).

    Raises:
        UsageError: another scheme, or something that cannot be an address.
    """
    scheme, separator, rest = uri.partition("://")
    shown = re.sub("//[^/@]*@", "//", re.split("[?#]", uri)[0])
    if not separator or scheme not in ROOTS:
        raise UsageError(f"{field} is {shown!r}: it must begin with s3://, https:// or pvc://")
    pattern, meaning, form = ROOTS[scheme]
    if scheme == "https" and "/" not in re.split("[?#]", rest)[0]:
        raise UsageError(f"{field} is {shown!r}: a web server has no listing, so name one file")
    root, _, key = rest.partition("/")
    if not pattern.fullmatch(root):
        wrong = "what stands before the path" if "@" in root else repr(root)
        raise UsageError(f"{field} is not {form}: {wrong} is not {meaning}")
    if scheme == "https":
        return _parse_web(root, key, field, shown)
    if scheme == "pvc" and not is_plain(key):
        raise UsageError(f"{field} is {shown!r}: write its path without '.', '..' and empty parts")
    return Location("pvc" if scheme == "pvc" else "s3", root, key)


def is_plain(key: str) -> bool:
    """Say whether a path names a file or folder below its root in the one way that needs no resolving."""
    parts = key.removesuffix("/").split("/")
    return not key or all(part not in ("", ".", "..") for part in parts)


def _parse_web(host: str, rest: str, field: str, shown: str) -> Location:
    path, _, query = rest.partition("#")[0].partition("?")
    if not path or path.endswith("/"):
        raise UsageError(f"{field} is {shown!r}: a web server has no listing, so name one file")
    return Location("https", host.lower(), path, query)
