"""What must not be in a log, taken out of words that others have written: libraries' messages and tracebacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

QUERY = re.compile(r"(?<=\S)\?[^\s'\"<>]+")
"""Of an address, absolute or not: a signed one carries its signature there."""
USER = re.compile(r"(?<=://)[^\s/@]+@")
SIGNATURE = re.compile(r"(?<=Signature=)\w+")
"""In the header of a signed request."""
SECRET_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
HIDDEN = "***"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Remove queries and user names from addresses, and put `***` in place of signatures and secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return SIGNATURE.sub(HIDDEN, USER.sub("", QUERY.sub("", text)))


def read_secrets(environment: Mapping[str, str]) -> list[str]:
    """Return the credentials in the environment, those of the sides (docs/job.md) and the SDK's own."""
    values = [value.strip() for name, value in environment.items() if name.endswith(SECRET_VARIABLES)]
    return [value for value in values if value]
