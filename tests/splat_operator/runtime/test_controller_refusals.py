"""How a pass ends that the API server does not let have its way, or that fails by itself."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import SETTINGS, condition, settled
from raw_objects import raw_job, raw_running_pod
from splat_operator.api.names import PLURAL
from splat_operator.cluster.connection import ApiError, NotLeadingError
from splat_operator.cluster.executor import JobRefusedError
from splat_operator.runtime import controller as module

from .world import JOBS, World, passes

pytestmark = pytest.mark.asyncio


@pytest.fixture
def world() -> World:
    return World()


class TestRefusedJob:
    async def test_is_told_and_tried_again_where_that_may_help(self, world: World) -> None:
        world.has()
        world.api.fails("create", "jobs", ApiError(403, "exceeded quota: jobs"))
        before = passes("refused")
        with pytest.raises(JobRefusedError):
            await world.process()
        assert passes("refused") == before + 1
        assert "exceeded quota: jobs" in condition(world.status, "Ready")["message"]
        assert (world.status["phase"], world.told) == ("Pending", ["JobRefused"])
        assert await world.process() == 0
        assert world.told == ["JobRefused", "JobCreated"]

    @pytest.mark.parametrize("code", [400, 422])
    async def test_that_is_invalid_is_a_failure_and_not_tried_again(self, world: World, code: int) -> None:
        world.has()
        world.api.fails("create", "jobs", ApiError(code, 'unknown field "spec.template.spec.x"'))
        assert await world.process() is None
        assert (world.status["phase"], condition(world.status, "Ready")["reason"]) == ("Failed", "InvalidJob")
        assert await world.process() is None
        assert len(world.api.sent("create", "jobs")) == 1

    async def test_whose_name_anothers_has_is_told(self, world: World) -> None:
        world.has()
        other = raw_job()
        other["metadata"] |= {"ownerReferences": [], "annotations": {}}
        world.api.has(JOBS, other)
        with pytest.raises(JobRefusedError):
            await world.process()
        assert condition(world.status, "Ready")["reason"] == "JobNameTaken"
        del world.api.objects[f"{JOBS}/{other['metadata']['name']}"]
        assert await world.process() == 0
        assert world.status["jobName"] == other["metadata"]["name"]

    async def test_in_a_namespace_that_goes_is_final(self, world: World) -> None:
        world.has()
        world.api.fails("create", "jobs", ApiError(403, "is being terminated", ["NamespaceTerminating"]))
        with pytest.raises(JobRefusedError):
            await world.process()
        assert world.status["phase"] == "Failed"


class TestRefusedStatus:
    async def test_is_a_small_failure_and_no_retry(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        world.api.fails("patch", PLURAL, ApiError(422, "status.progress.percent: Invalid value"))
        assert await world.process() is None
        refused, small = world.api.sent("patch", PLURAL)
        assert refused.path == small.path
        assert world.status["phase"] == "Failed"
        stalled = condition(world.status, "Stalled")
        assert (stalled["reason"], stalled["status"]) == ("StatusRefused", "True")
        assert "status.progress.percent: Invalid value" in stalled["message"]
        assert world.told == [], "nothing of what was refused"
        assert "the status was refused: status.progress" in caplog.text

    async def test_is_not_told_again_by_each_pass(self, world: World) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        world.api.fails("patch", PLURAL, 422)
        await world.process()
        world.api.fails("patch", PLURAL, 422)
        assert await world.process() is None
        assert len(world.api.sent("patch", PLURAL)) == 3, "asked once more, as it might be taken now"

    async def test_heals_when_it_is_taken(self, world: World) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        world.api.fails("patch", PLURAL, 422)
        await world.process()
        await world.process()
        assert world.status["phase"] == "Running"

    async def test_even_where_the_small_one_is_refused_there_is_no_retry(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.has(jobs=[raw_job()], pods=[raw_running_pod()])
        world.api.fails("patch", PLURAL, 422, 422)
        assert await world.process() is None
        assert "not even a small status is taken" in caplog.text


class TestFault:
    """A bug, which no pass can do anything about."""

    @pytest.fixture(autouse=True)
    def fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def reconcile(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(module, "reconcile", reconcile)

    async def test_is_seen_at_the_resource_and_logged_by_the_queue(self, world: World) -> None:
        world.has()
        before = passes("error")
        with pytest.raises(ZeroDivisionError):
            await world.process()
        assert passes("error") == before + 1
        stalled = condition(world.status, "Stalled")
        assert (world.status["phase"], stalled["reason"]) == ("Failed", "InternalError")
        assert "cannot decide about this resource (ZeroDivisionError); its log has the cause" in stalled["message"]

    async def test_is_written_once(self, world: World) -> None:
        world.has()
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await world.process()
        assert len(world.api.sent("patch")) == 1

    async def test_takes_no_outcome_away(self, world: World) -> None:
        world.has(status=settled().status)
        with pytest.raises(ZeroDivisionError):
            await world.process()
        assert world.status["phase"] == "Succeeded"


@pytest.mark.parametrize("code", [404, 409])
async def test_a_resource_that_changed_meanwhile_is_looked_at_again_soon(world: World, code: int) -> None:
    world.has(jobs=[raw_job()], pods=[raw_running_pod()])
    world.api.fails("patch", PLURAL, code)
    before = passes("conflict")
    assert await world.process() == SETTINGS.conflict_pause_s
    assert passes("conflict") == before + 1


async def test_who_does_not_lead_any_more_fails(world: World) -> None:
    world.has()
    world.api.fails("create", "jobs", NotLeadingError(0, "held back"))
    with pytest.raises(NotLeadingError):
        await world.process()
    assert world.api.sent("patch") == []
