"""Which fields of an unfinished Job are brought up to date."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import job, resource
from splat_operator.decide.policies.drift import drift


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        ({}, {}),
        ({"suspend": True}, {"suspend": True}),
        ({"retries": 0}, {"backoffLimit": 0}),
        ({"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": 60}),
        ({"ttlSecondsAfterFinished": 1}, {}),
        ({"pendingDeadlineSeconds": 60}, {}),
    ],
    ids=str,
)
def test_drift(edit: dict[str, Any], changes: dict[str, Any]) -> None:
    assert drift(job(), resource(**edit).spec) == changes


def test_drift_takes_back() -> None:
    before = job(is_suspended=True, active_deadline_s=60)
    assert drift(before, resource().spec) == {"suspend": False, "activeDeadlineSeconds": None}
