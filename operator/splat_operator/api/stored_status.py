"""A status as the API server holds it, read as input from anybody: not only the operator can write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from splat_operator.api.times import parse_time

Check = Callable[[Any], bool]


def read_status(raw: Any) -> dict[str, Any]:
    """The status without what is not as the operator writes it, so that no pass can fail on it.

    Fields that decisions do not depend on are kept as they are.
    """
    if not isinstance(raw, Mapping):
        return {}
    status = {name: value for name, value in raw.items() if _CHECKS.get(name, _is_anything)(value)}
    for name, is_sound in _ELEMENTS.items():
        if name in status:
            status[name] = [element for element in status[name] if is_sound(element)]
    return {name: value for name, value in status.items() if name not in _ELEMENTS or value}


def _is_anything(_: Any) -> bool:
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    try:
        time = parse_time(value)
    except (TypeError, ValueError):
        return False
    return time is not None and time.tzinfo is not None


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has(fields: Mapping[str, Check]) -> Check:
    """Whether a value is a mapping with these fields."""

    def check(value: Any) -> bool:
        return isinstance(value, Mapping) and all(is_sound(value.get(name)) for name, is_sound in fields.items())

    return check


_CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(("phase", "jobName", "duration", "retryOn"), _is_text),
    **dict.fromkeys(("startTime", "completionTime"), _is_time),
    **dict.fromkeys(("conditions", "failures", "outputs"), _is_list),
    "observedGeneration": _is_whole,
    "progress": _has({}),
}
_ELEMENTS: Mapping[str, Check] = {
    "conditions": _has(
        dict.fromkeys(("type", "status", "reason", "message"), _is_text) | {"lastTransitionTime": _is_time}
    ),
    "failures": _has(dict.fromkeys(("pod", "reason", "message"), _is_text) | {"time": _is_time}),
    "outputs": _has({}),
}
