"""What is brought up to date of an unfinished Job, and whose its suspension is."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import job, resource
from splat_operator.api.model import Job, PatchJob
from splat_operator.api.names import ANNOTATION_SUSPENDED
from splat_operator.decide.policies.drift import correct, is_held_by_others, must_give_way

MARK = {ANNOTATION_SUSPENDED: "true"}
HELD = {"is_suspended": True}
OURS = {"is_suspended": True, "is_suspended_by_us": True}


def patch_of(before: Job, phase: str | None = "Pending", **spec: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    actions = correct(before, resource(**spec).spec, phase=phase)
    assert len(actions) <= 1
    for action in actions:
        assert isinstance(action, PatchJob)
        return dict(action.fields), dict(action.annotations)
    return None


@pytest.mark.parametrize(
    ("edit", "patch"),
    [
        ({}, None),
        ({"suspend": True}, ({"suspend": True}, MARK)),
        ({"retries": 0}, ({"backoffLimit": 0}, {})),
        ({"activeDeadlineSeconds": 60}, ({"activeDeadlineSeconds": 60}, {})),
        ({"retries": 0, "suspend": True}, ({"backoffLimit": 0, "suspend": True}, MARK)),
        ({"ttlSecondsAfterFinished": 1}, None),
        ({"pendingDeadlineSeconds": 60}, None),
    ],
    ids=str,
)
def test_an_edit_is_one_patch(edit: dict[str, Any], patch: tuple[dict[str, Any], dict[str, Any]] | None) -> None:
    assert patch_of(job(), **edit) == patch


def test_a_deadline_that_was_taken_back() -> None:
    assert patch_of(job(active_deadline_s=60)) == ({"activeDeadlineSeconds": None}, {})


@pytest.mark.parametrize(
    ("state", "phase", "is_resumed"),
    [
        pytest.param(OURS, "Suspended", True, id="the operator's"),
        pytest.param(OURS, "Pending", True, id="the operator's, of another status"),
        pytest.param(HELD, "Suspended", True, id="the operator's, by a version that left no note"),
        pytest.param(HELD, "Pending", False, id="Kueue's that manages Jobs without a queue"),
        pytest.param(HELD, "Running", False, id="stopped by Kueue or by hand"),
        pytest.param(HELD, None, False, id="before the first status"),
        pytest.param({**HELD, "queue": "default"}, "Pending", False, id="in a queue that Kueue chose"),
        pytest.param({**HELD, "queue": "gpus", "own_queue": "gpus"}, "Queued", False, id="in its queue"),
    ],
)
def test_only_what_the_operator_has_suspended_is_resumed(
    state: dict[str, Any], phase: str | None, is_resumed: bool
) -> None:
    assert patch_of(job(**state), phase) == (({"suspend": False}, {ANNOTATION_SUSPENDED: None}) if is_resumed else None)
    assert is_held_by_others(job(**state), phase=phase) == (not is_resumed)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param({**OURS, "queue": "default"}, id="by Kueue, which has put it into a queue since"),
        pytest.param({"is_suspended_by_us": True}, id="by somebody who has let it go on"),
    ],
)
def test_a_suspension_that_somebody_has_taken_over_is_not_the_operators_any_more(state: dict[str, Any]) -> None:
    """The note goes, or the next suspension, which is Kueue's, would be undone by the operator."""
    assert patch_of(job(**state), "Suspended") == ({}, {ANNOTATION_SUSPENDED: None})


@pytest.mark.parametrize(
    ("state", "phase", "gives_way"),
    [
        pytest.param({}, "Running", False, id="runs: it is suspended in place"),
        pytest.param(OURS, "Suspended", False, id="suspended"),
        pytest.param({"queue": "gpus"}, "Running", True, id="in a queue"),
        pytest.param(HELD, "Queued", True, id="held by Kueue"),
        pytest.param({"is_suspended_by_us": True}, "Suspended", True, id="let go on against the operator"),
    ],
)
def test_suspending_what_is_kueues_gives_the_place_up(state: dict[str, Any], phase: str, gives_way: bool) -> None:
    suspended, running = resource(suspend=True).spec, resource().spec
    assert must_give_way(job(**state), suspended, phase=phase) == gives_way
    assert not must_give_way(job(**state), running, phase=phase)
