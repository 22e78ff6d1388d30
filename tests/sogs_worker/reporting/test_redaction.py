"""What a log must not show is taken out of it, whoever has written it."""

from __future__ import annotations

import pytest

from sogs_worker.reporting.redaction import read_secrets, redact


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET https://host/a.ply?X-Amz-Signature=0a1b&x=1 HTTP/1.1", "GET https://host/a.ply HTTP/1.1"),
        ("connection broken: /scenes/a.ply?sv=2022&sig=4%2Bs%3D", "connection broken: /scenes/a.ply"),
        ("cannot open 'https://host/a?sig=abc': refused", "cannot open 'https://host/a': refused"),
        ("<https://host/a?token>", "<https://host/a>"),
        ("a?sig=1 b?sig=2\nc?sig=3", "a b\nc"),
        ("proxy http://user:pass@host:3128/", "proxy http://host:3128/"),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=0a1b2c", "AWS4-HMAC-SHA256 SignedHeaders=host, Signature=***"),
        ("Is that all? Yes.", "Is that all? Yes."),
        ("s3://scenes/a.ply is gone: 404", "s3://scenes/a.ply is gone: 404"),
    ],
)
def test_addresses_lose_their_query(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_credentials_are_replaced() -> None:
    environment = {
        "SOURCE_AWS_ACCESS_KEY_ID": "KEYID",
        "SOURCE_AWS_SECRET_ACCESS_KEY": "s/cr+t\n",
        "AWS_SESSION_TOKEN": "t.k.n",
        "DESTINATION_AWS_SESSION_TOKEN": "",
        "AWS_REGION": "eu-1",
    }
    secrets = read_secrets(environment)
    assert redact("KEYID s/cr+t t.k.n eu-1", secrets) == "*** *** *** eu-1"
