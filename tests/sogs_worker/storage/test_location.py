"""Addresses of objects."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from sogs_worker.errors import UsageError
from sogs_worker.storage.location import Location, parse_location


@pytest.mark.parametrize(
    ("uri", "location", "is_prefix"),
    [
        ("s3://scenes/garden.ply", Location("s3", "scenes", "garden.ply"), False),
        ("s3://scenes/a b/ü?.ply", Location("s3", "scenes", "a b/ü?.ply"), False),
        ("s3://scenes/compressed/", Location("s3", "scenes", "compressed/"), True),
        ("s3://scenes/", Location("s3", "scenes", ""), True),
        ("s3://scenes", Location("s3", "scenes", ""), True),
        ("pvc://claim.1/a/b.ply", Location("pvc", "claim.1", "a/b.ply"), False),
        ("pvc://claim/a/", Location("pvc", "claim", "a/"), True),
        ("pvc://claim/", Location("pvc", "claim", ""), True),
        ("https://Host.example:8443/a/b.ply", Location("https", "host.example:8443", "a/b.ply"), False),
        ("https://[::1]/b.ply#part", Location("https", "[::1]", "b.ply"), False),
        ("https://host/b.ply?sig=1/2#part", Location("https", "host", "b.ply", "sig=1/2"), False),
    ],
)
def test_reads_an_address(uri: str, location: Location, is_prefix: bool) -> None:
    assert parse_location(uri, "spec.source.uri") == location
    assert location.is_prefix == is_prefix


@pytest.mark.parametrize(
    "uri",
    [
        *("http://host/a.ply", "ftp://host/a.ply", "/a.ply", "", "s3:/a/b", "s3:///a", "s3://UPPER/a", "s3://a/b"),
        *("pvc:///a", "pvc://Claim/a", "pvc://claim//a", "pvc://claim/../a", "pvc://claim/a/./b", "pvc://claim/a//"),
        *("https:///a.ply", "https://host", "https://host/", "https://host/a/", "https://host/?a=b", "https://ho st/a"),
    ],
)
def test_refuses_other_addresses(uri: str) -> None:
    with pytest.raises(UsageError, match=r"^spec\.source\.uri is "):
        parse_location(uri, "spec.source.uri")


def test_shows_neither_signatures_nor_passwords() -> None:
    location = parse_location("https://host/my%20scene.ply?X-Amz-Signature=secret", "spec.source.uri")
    assert "secret" not in f"{location} {location!r} {location.uri}"
    assert (location.uri, location.file) == ("https://host/my%20scene.ply", PurePosixPath("my scene.ply"))
    for uri in (
        "https://user:secret@host/a.ply",
        "https://host/?secret",
        "ftp://host/a.ply?secret",
        "https://host?secret",
        "http://u:secret@host/a",
    ):
        with pytest.raises(UsageError) as caught:
            parse_location(uri, "spec.source.uri")
        assert "secret" not in str(caught.value)
