"""A part of an S3 bucket that belongs to one test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3


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


def open_bucket(environment: Mapping[str, str], owner: str) -> Bucket:
    """Room for a namespace in the bucket `scenes` of the cluster's S3."""
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    return Bucket(client, "scenes", f"{owner}/")
