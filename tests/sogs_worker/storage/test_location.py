"""Addresses of objects."""

from __future__ import annotations

import pytest

from sogs_worker.errors import UsageError
from sogs_worker.storage.location import Location, parse_location


@pytest.mark.parametrize(
    ("uri", "location", "is_prefix"),
    [
        ("s3://scenes/garden.ply", Location("scenes", "garden.ply"), False),
        ("s3://scenes/a b/ü.ply", Location("scenes", "a b/ü.ply"), False),
        ("s3://scenes/compressed/", Location("scenes", "compressed/"), True),
        ("s3://scenes/", Location("scenes", ""), True),
        ("s3://scenes", Location("scenes", ""), True),
    ],
)
def test_reads_an_address(uri: str, location: Location, is_prefix: bool) -> None:
    assert parse_location(uri, "spec.source.uri") == location
    assert location.is_prefix == is_prefix


@pytest.mark.parametrize(
    "uri", ["https://host/a.ply", "pvc://claim/a.ply", "/a.ply", "", "s3:/a/b", "s3:///a", "s3://UPPER/a", "s3://a/b"]
)
def test_refuses_other_addresses(uri: str) -> None:
    with pytest.raises(UsageError, match=r"^spec\.source\.uri is '"):
        parse_location(uri, "spec.source.uri")
