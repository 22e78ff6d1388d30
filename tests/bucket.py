"""A part of an S3 bucket that belongs to one test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bucket:
    """A part of the S3 that belongs to one test."""

    client: Any
    name: str
    prefix: str

    def uri(self, key: str) -> str:
        """Name an object of this test."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def put(self, key: str, path: Path) -> str:
        """Upload a file and return its URI."""
        self.client.upload_file(str(path), self.name, f"{self.prefix}{key}")
        return self.uri(key)

    def put_bytes(self, key: str, data: bytes) -> str:
        """Upload some bytes and return their URI."""
        self.client.put_object(Bucket=self.name, Key=f"{self.prefix}{key}", Body=data)
        return self.uri(key)

    def names(self) -> set[str]:
        """List this test's objects, without the prefix."""
        listed = self.client.list_objects_v2(Bucket=self.name, Prefix=self.prefix).get("Contents", [])
        return {entry["Key"].removeprefix(self.prefix) for entry in listed}

    def fetch(self, uri: str, path: Path) -> Path:
        """Download an object by its URI."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client.download_file(bucket, key, str(path))
        return path
