"""Times as the API writes them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from compressions import NOW
from splat_operator.api.times import format_duration, format_time, parse_time


def test_round_trip() -> None:
    assert format_time(NOW) == "2026-01-01T12:00:00Z"
    assert parse_time(format_time(NOW)) == NOW
    assert parse_time("2026-01-01T12:00:00.250000Z") == NOW + timedelta(milliseconds=250)
    assert parse_time(None) is None


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0s"), (0, "0s"), (42.4, "42s"), (60, "1m0s"), (3599, "59m59s"), (7380, "2h3m")]
)
def test_duration(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text
