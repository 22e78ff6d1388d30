"""Which Job belongs to which spec: names and hashes that depend on what the user wrote and on nothing else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from splat_operator.api.spec import Output, Scheduling


def job_name(*, resource_name: str, uid: str, output: Output) -> str:
    """Name of the Job that makes `output` for the resource: at most 63 characters for a name of at most 52.

    The same resource and the same decisive part of the spec give the same name, so that creating twice is a conflict.
    """
    return f"{resource_name}-{_digest([uid, _deviations(output)])}"


def cleanup_name(*, resource_name: str, uid: str) -> str:
    """Name of the Job that deletes the resource's outputs, as long as the others' and different from them."""
    return f"{resource_name}-{_digest([uid, 'cleanup'])}"


def template_hash(scheduling: Scheduling) -> str:
    """Hash of the part of the spec that only says where and with what a pod runs."""
    return _digest(_deviations(scheduling))


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def _deviations(value: Any) -> Any:
    """The fields of a dataclass that differ from their defaults, recursively.

    Defaults are left out so that a field added by a later version changes no hash, and so runs nothing again.
    """
    if not is_dataclass(value):
        return value
    pairs = ((field, getattr(value, field.name)) for field in fields(value))
    return {field.name: _deviations(item) for field, item in pairs if item != _default(field)}


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default
