"""Times as the Kubernetes API writes them: UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def parse_time(text: str | None) -> datetime | None:
    """The aware time that an API field holds; None for an absent one."""
    return datetime.fromisoformat(text) if text else None


def format_time(time: datetime) -> str:
    """RFC 3339 with seconds, in UTC: `2026-01-01T00:00:00Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_duration(duration: timedelta) -> str:
    """A duration as kubectl shows ages: `42s`, `2m5s`, `1h3m`; negative ones, from clocks that differ, are `0s`."""
    seconds = max(0, round(duration.total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
