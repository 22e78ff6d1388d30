"""Long random walks, with more disturbances than a search can go through: the same promises, the same goal."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.checker import Judge
from model.goal import desired_state
from model.mind import Mind, decide
from model.promises import ALL
from model.steps import following, moves
from model.stories import Story, start

BUDGET = {
    **{"fail": 3, "disrupt": 2, "delete job": 2, "preempt": 2, "lose pod": 1, "vanish": 1, "wait": 1},
    **{"delete": 1, "orphan": 1, "apply again": 2, "strip owner": 1, "strip labels": 1, "write status": 1},
    **{"stale": 8, "hear": 4, "crash": 2, "lose answer": 2, "lose event": 2, "refuse status": 1, "standby": 1},
}
EDITS: list[dict[str, Any]] = [
    {"preview": True},
    {"preview": False},
    {"suspend": True},
    {"suspend": False},
    {"retries": 0},
    {"nodeSelector": {"pool": "gpu"}},
    {"resources": {"limits": {"memory": "8Gi"}}},
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
STEPS = 80
NO_OTHER_RUN = {"delete": 0, "orphan": 0, "delete job": 0}
"""Nobody sees a Job whose labels were removed, so that another one may be made beside it, by an edit for instance."""


def story(data: st.DataObject) -> Story:
    """Anything, but for a Job without labels no reason to make another one.

    Nor is a Job suspended by a user that Kueue holds without a queue: who has suspended it is not always known.
    """
    budget, edits = dict(BUDGET), data.draw(st.lists(st.sampled_from(EDITS), max_size=4))
    kueue = data.draw(st.sampled_from(["", "default", "all"]))
    if data.draw(st.booleans()):
        budget |= NO_OTHER_RUN
        edits = []
    else:
        budget["strip labels"] = 0
    if kueue == "all":
        edits = [edit for edit in edits if "suspend" not in edit]
    return Story(budget, data.draw(st.sampled_from(SPECS)), edits, kueue)


@settings(
    max_examples=150,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.data())
def test_whatever_happens_the_promises_hold_and_the_goal_is_reached(data: st.DataObject) -> None:
    mind = Mind(decide)
    judge, state = Judge(mind, ALL, desired_state), start(story(data), mind)
    done = []
    for _ in range(STEPS):
        possible = list(moves(state, mind))
        move = possible[data.draw(st.integers(0, len(possible) - 1))]
        state = following(state, move)
        done.append(move.name)
        fault = judge.fault(state)
        assert fault is None, f"{fault}, after {done}"
