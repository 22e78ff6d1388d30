"""The border of the status: here alone, what goes into it is cut and ranged to what the CRD's schema takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

MAX_TEXT = 4096
"""Characters of a text; the schema takes 32,768 in a condition, which nobody reads."""
MAX_REASON = 1024
INT32 = ("percent", "scenesDone", "scenesTotal", "cacheHits", "exitCode")
"""Fields of 32 bits; other whole numbers have 64."""

_UNSEEN = re.compile(
    r"\x1b\[[0-9;?]*[ -/]*[@-~]"
    r"|[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
"""Terminal escapes, control characters, line breaks, marks that turn the direction of a text, and lone surrogates."""
_NOT_OF_REASONS = re.compile(r"[^A-Za-z0-9_,:]")


def fit(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status with clean texts, reasons after metav1's pattern and numbers in range."""
    return {name: _fit(name, value) for name, value in status.items()}


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """The text on one line, without what terminals would act upon, cut to `limit` characters."""
    words = " ".join(_UNSEEN.sub(" ", text).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"


def clean_reason(text: str) -> str:
    """A CamelCase word as metav1 wants it: `OutOfnvidia.com/gpu` becomes `OutOfnvidia_com_gpu`."""
    word = _NOT_OF_REASONS.sub("_", text).lstrip("_,:0123456789")[:MAX_REASON].rstrip(",:")
    return word or "Unknown"


def _fit(name: str, value: Any) -> Any:
    match value:
        case str():
            return clean_reason(value) if name == "reason" else clean_text(value)
        case bool():
            return value
        case int():
            bits = 31 if name in INT32 else 63
            return max(-(2**bits), min(2**bits - 1, value))
        case float():
            return value if math.isfinite(value) else 0.0
        case Mapping():
            return fit(value)
        case list() | tuple():
            return [_fit(name, element) for element in value]
        case _:
            return value
