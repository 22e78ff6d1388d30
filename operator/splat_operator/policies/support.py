"""Is there anything in the spec that this version cannot do?

The CRD refuses all of these; the table is for resources that came in under an older one. A field is never ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Spec = Mapping[str, Any]

_UNSUPPORTED: tuple[tuple[str, Callable[[Spec], bool]], ...] = (
    ("spec.parallelism above 1", lambda spec: spec.get("parallelism", 1) > 1),
    ("spec.podTemplate", lambda spec: bool(spec.get("podTemplate"))),
    ("spec.queueName", lambda spec: bool(spec.get("queueName"))),
    ("spec.deletionPolicy Delete", lambda spec: spec.get("deletionPolicy", "Retain") != "Retain"),
    ("spec.dryRun", lambda spec: spec.get("dryRun", False)),
)


def unsupported(spec: Spec) -> str | None:
    """One sentence that names the first such field of a spec as stored, or None."""
    for what, is_used in _UNSUPPORTED:
        if is_used(spec):
            return f"{what} is not supported by this version; remove or correct it."
    return None
