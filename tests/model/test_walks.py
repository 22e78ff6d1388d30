"""Long random walks, with more disturbances than a search can go through: the same promises, the same goal."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compressions import SETTINGS
from model.checker import settle
from model.cluster import begin
from model.promises import ALL, desired_state
from model.steps import steps
from splat_operator.decide.reconcile import reconcile

BUDGET = {"fail": 4, "delete job": 2, "preempt": 2, "late": 2, "wait": 2, "lose pod": 1, "delete": 1, "apply again": 1}
EDITS: list[dict[str, Any]] = [
    {"preview": True},
    {"preview": False},
    {"suspend": True},
    {"suspend": False},
    {"retries": 0},
    {"nodeSelector": {"pool": "gpu"}},
    {"ttlSecondsAfterFinished": 0},
    {"pendingDeadlineSeconds": 50},
    {"dryRun": True},
    {"dryRun": False},
    {"deletionPolicy": "Delete"},
    {"deletionPolicy": "Retain"},
    {"queueName": "gpus"},
]
SPECS: list[dict[str, Any]] = [
    {},
    {"queueName": "gpus"},
    {"deletionPolicy": "Delete"},
    {"parallelism": 3, "source": {"uri": "s3://scenes/raw/"}},
]


def decide(observed: Any, now: Any) -> Any:
    return reconcile(observed, now=now, settings=SETTINGS)


@settings(
    max_examples=150,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_whatever_happens_the_promises_hold_and_the_goal_is_reached(data: st.DataObject) -> None:
    edits = data.draw(st.lists(st.sampled_from(EDITS), max_size=4))
    state = begin(budget=dict(BUDGET), spec=data.draw(st.sampled_from(SPECS)), edits=edits)
    done = []
    for _ in range(80):
        possible = list(steps(state, decide))
        name, step = possible[data.draw(st.integers(0, len(possible) - 1))]
        step(state)
        done.append(name)
        for promise in ALL:
            assert promise(state) is None, f"{promise(state)}, after {done}"
    assert settle(state, decide, desired_state, set()) is None, f"{settle(state, decide, desired_state, set())}: {done}"
