"""What would be run is checked by the API server and told; nothing is run."""

from __future__ import annotations

from dataclasses import replace

from compressions import NOW, RESULT, SETTINGS, at, condition, decide, job, observed, resource, running_pod, written
from splat_operator.api.model import CheckJob, CountFinish, CreateJob, DeleteJob, EmitEvent, WriteStatus
from splat_operator.decide.reconcile import refused

DRY = resource(dryRun=True)


def test_checks_the_job_that_would_run_and_makes_none() -> None:
    actions = decide(observed(DRY))
    (checked,) = [action for action in actions if isinstance(action, CheckJob)]
    (created,) = [action for action in decide(observed()) if isinstance(action, CreateJob)]
    assert checked.manifest == created.manifest
    assert not any(isinstance(action, CreateJob | CountFinish) for action in actions)


def test_tells_what_would_run() -> None:
    dry = resource(dryRun=True, parallelism=2, queueName="gpus", source={"uri": "s3://scenes/raw/"})
    actions = decide(observed(dry))
    status = written(actions)
    assert (status["phase"], condition(status, "Ready")["status"]) == ("Succeeded", "True")
    assert "outputs" not in status
    message = condition(status, "Ready")["message"]
    for words in (
        "2 pods of splat-worker:0.1.0 on 1 nvidia.com/gpu each",
        "queue gpus",
        "from s3://scenes/raw/ at http://s3.example:8333 to s3://scenes/compressed/",
        "source was not opened",
    ):
        assert words in message
    assert [action.reason for action in actions if isinstance(action, EmitEvent)] == ["DryRun"]


def test_tells_no_signature() -> None:
    dry = resource(dryRun=True, source={"uri": "https://example.com/garden.ply?token=secret"})
    assert "secret" not in condition(written(decide(observed(dry))), "Ready")["message"]


def test_is_told_once_for_each_edit() -> None:
    told = replace(DRY, status=written(decide(observed(DRY))))
    assert decide(observed(told), now=at(9)) == []
    edited = replace(told, generation=2)
    assert any(isinstance(action, CheckJob) for action in decide(observed(edited)))


def test_ends_what_runs() -> None:
    actions = decide(observed(DRY, jobs=[job()], pods=[running_pod()]))
    assert any(isinstance(action, DeleteJob) for action in actions)


def test_a_job_that_the_server_does_not_take_is_told() -> None:
    words = 'Job "garden" is invalid'
    actions = refused(observed(DRY), code=422, words=words, is_final=True, now=NOW, settings=SETTINGS)
    assert [action.status["phase"] for action in actions if isinstance(action, WriteStatus)] == ["Failed"]
    assert words in condition(written(actions), "Stalled")["message"]
    told = replace(DRY, status=written(actions))
    assert decide(observed(told), now=at(9)) == [], "it says no again until the spec is edited"


def test_a_run_that_was_before_is_run_again_after() -> None:
    done = resource(status={"phase": "Succeeded", "jobName": "garden", "outputs": RESULT["outputs"]}, dryRun=True)
    status = written(decide(observed(done)))
    assert any(isinstance(action, CreateJob) for action in decide(observed(resource(status=status))))
