"""Addresses of objects: the `s3://bucket/key` of a resource's source and destination."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.errors import UsageError

# The names every S3 server takes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True)
class Location:
    """An object, or with a key that is empty or ends in a slash, a prefix."""

    bucket: str
    key: str

    @property
    def is_prefix(self) -> bool:
        """Whether objects go below this location rather than to it."""
        return not self.key or self.key.endswith("/")

    @property
    def file(self) -> PurePosixPath:
        """The object's name without its folder."""
        return PurePosixPath(PurePosixPath(self.key).name)

    @property
    def uri(self) -> str:
        """The address as people write it."""
        return f"s3://{self.bucket}/{self.key}"


def parse_location(uri: str, field: str) -> Location:
    """Read an address.

    Args:
        uri: `s3://bucket/key` or `s3://bucket/prefix/`.
        field: where it stands, for the message (`spec.source.uri`).

    Raises:
        UsageError: another scheme, no bucket or a name that no S3 server takes.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme != "s3":
        raise UsageError(
            f"{field} is {uri!r}: this worker reads and writes s3://bucket/key only, so copy the data to S3"
        )
    bucket, _, key = rest.partition("/")
    if not BUCKET.fullmatch(bucket):
        raise UsageError(f"{field} is {uri!r}: {bucket!r} is not a bucket's name, so write s3://bucket/key")
    return Location(bucket, key)
