"""Which version of an object an answer is of, of servers that do not name it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

UNNAMED = "modified "
"""How versions begin that are no ETags: a server has none for files that were put into the folder that it serves."""


def version_of(answer: Mapping[str, Any], size_bytes: int) -> str:
    """Return the ETag of an object of so many bytes, or else when it was changed and its length."""
    return answer.get("ETag") or f"{UNNAMED}{answer['LastModified'].isoformat()} {size_bytes}"


def is_unnamed(version: str) -> bool:
    """Say whether a version is none that the server could compare."""
    return version.startswith(UNNAMED)
