"""How actions are executed: which requests they are, what refusals mean, and what the store learns."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import JOB_UID, KEY, SETTINGS, UID, resource
from fake_connection import FakeConnection
from raw_objects import raw_cleanup, raw_job, raw_resource
from splat_operator.api.model import (
    Action,
    AdoptJob,
    CheckJob,
    CountWait,
    CreateJob,
    DeleteJob,
    EmitEvent,
    LookAgain,
    Observed,
    PatchJob,
    Requeue,
    SetFinalizers,
    WriteStatus,
)
from splat_operator.api.names import ANNOTATION_SUSPENDED, DEFAULT_CONTROLLER, PLURAL
from splat_operator.cluster import paths
from splat_operator.cluster.connection import STRATEGIC_PATCH, ApiError
from splat_operator.cluster.executor import (
    Executor,
    JobRefusedError,
    StatusRefusedError,
)
from splat_operator.cluster.store import Store
from splat_operator.manifests.job import build_job

OTHERS = [{"apiVersion": "apps/v1", "kind": "CronJob", "name": "a", "uid": "a", "controller": True}]


class World:
    """An executor, the API server that it writes to, and the store that learns of it."""

    def __init__(self) -> None:
        self.api, self.store = FakeConnection(), Store(DEFAULT_CONTROLLER)
        self.executor = Executor(self.api, self.store)
        self.api.has(RESOURCES, raw_resource(7, status={"phase": "Pending"}))
        self.store.put(PLURAL, raw_resource(7, status={"phase": "Pending"}))
        self.resource = resource(status={"phase": "Pending"})

    async def do(self, action: Action) -> None:
        await self.executor.execute(self.resource, action)

    def has_job(self, raw: dict[str, Any]) -> None:
        self.api.has(JOBS, raw)
        self.store.put("jobs", raw)

    @property
    def seen(self) -> Observed:
        seen = self.store.observe(KEY)
        assert seen is not None
        return seen


@pytest.fixture
def world() -> World:
    return World()


RESOURCES, JOBS = paths.collection(PLURAL, "default"), paths.jobs("default")
MANIFEST = build_job(spec=resource().spec, key=KEY, uid=UID, settings=SETTINGS)
NAME = MANIFEST["metadata"]["name"]


@pytest.mark.asyncio
class TestStatus:
    async def test_is_a_patch_of_the_version_that_was_seen(self, world: World) -> None:
        await world.do(WriteStatus({"phase": "Running"}))
        (request,) = world.api.requests
        assert request.path == f"{paths.resource(KEY)}/status"
        assert request.body == {"metadata": {"resourceVersion": "7"}, "status": {"phase": "Running"}}
        assert world.seen.resource.status == {"phase": "Running"}, "the store knows at once"

    async def test_of_a_resource_that_has_changed_is_a_conflict(self, world: World) -> None:
        world.api.objects[paths.resource(KEY)]["metadata"]["resourceVersion"] = "8"
        with pytest.raises(ApiError) as caught:
            await world.do(WriteStatus({"phase": "Running"}))
        assert caught.value.code == 409

    @pytest.mark.parametrize("code", [400, 403, 404, 500])
    async def test_any_other_refusal_is_an_error(self, world: World, code: int) -> None:
        world.api.fails("patch", PLURAL, code)
        with pytest.raises(ApiError) as caught:
            await world.do(WriteStatus({"phase": "Running"}))
        assert (caught.value.code, type(caught.value)) == (code, ApiError)

    async def test_that_is_invalid_is_told_apart(self, world: World) -> None:
        world.api.fails("patch", PLURAL, ApiError(422, "status.phase: Unsupported value"))
        with pytest.raises(StatusRefusedError, match="Unsupported value"):
            await world.do(WriteStatus({"phase": "Walking"}))


@pytest.mark.asyncio
class TestFinalizers:
    async def test_are_replaced_by_version(self, world: World) -> None:
        await world.do(SetFinalizers(("a/b",)))
        assert world.api.requests[0].body == {"metadata": {"resourceVersion": "7", "finalizers": ["a/b"]}}

    async def test_of_a_resource_that_is_gone_need_no_change(self, world: World) -> None:
        del world.api.objects[paths.resource(KEY)]
        await world.do(SetFinalizers(()))

    async def test_of_a_resource_that_has_changed_are_a_conflict(self, world: World) -> None:
        world.api.objects[paths.resource(KEY)]["metadata"]["resourceVersion"] = "8"
        with pytest.raises(ApiError):
            await world.do(SetFinalizers(()))


@pytest.mark.asyncio
class TestCreate:
    async def test_fields_are_validated_strictly_and_the_store_knows_at_once(self, world: World) -> None:
        await world.do(CreateJob(MANIFEST))
        (request,) = world.api.requests
        assert (request.path, request.options) == (JOBS, {"fieldValidation": "Strict"})
        assert request.body == MANIFEST
        assert [job.name for job in world.seen.jobs] == [NAME]

    async def test_a_check_makes_nothing(self, world: World) -> None:
        await world.do(CheckJob(MANIFEST))
        assert world.api.requests[0].options == {"fieldValidation": "Strict", "dryRun": "All"}
        assert (world.seen.jobs, f"{JOBS}/{NAME}" in world.api.objects) == ((), False)

    @pytest.mark.parametrize(
        ("code", "words", "causes", "is_invalid", "is_final"),
        [
            pytest.param(400, 'strict decoding error: unknown field "x"', (), True, True, id="unknown field"),
            pytest.param(422, "spec.template: Invalid value", (), True, True, id="invalid"),
            pytest.param(403, "exceeded quota", (), False, False, id="quota"),
            pytest.param(403, "is being terminated", ("NamespaceTerminating",), False, True, id="namespace goes"),
            pytest.param(404, "namespace not found", (), False, False, id="no namespace"),
            pytest.param(400, 'admission webhook "kueue" denied the request', (), False, False, id="webhook"),
        ],
    )
    async def test_a_refusal_says_for_how_long(
        self, world: World, code: int, words: str, causes: tuple[str, ...], is_invalid: bool, is_final: bool
    ) -> None:
        world.api.fails("create", "jobs", ApiError(code, words, causes))
        with pytest.raises(JobRefusedError, match=words) as caught:
            await world.do(CreateJob(MANIFEST))
        assert (caught.value.code, caught.value.is_invalid, caught.value.is_final) == (code, is_invalid, is_final)

    @pytest.mark.parametrize("code", [0, 401, 429, 500, 503])
    async def test_an_api_server_in_trouble_refuses_nothing(self, world: World, code: int) -> None:
        world.api.fails("create", "jobs", code)
        with pytest.raises(ApiError) as caught:
            await world.do(CreateJob(MANIFEST))
        assert type(caught.value) is ApiError
        assert world.seen.is_behind, "it may have been made nevertheless"


@pytest.mark.asyncio
class TestNameThatIsTaken:
    async def test_by_itself_is_as_good(self, world: World) -> None:
        """The answer to the first request was lost."""
        world.api.has(JOBS, raw_job())
        await world.do(CreateJob(MANIFEST))
        assert world.api.sent("patch") == []
        assert [job.name for job in world.seen.jobs] == [NAME]

    async def test_by_one_that_lost_its_labels_is_adopted(self, world: World) -> None:
        """Without them no watch and no list tells of it."""
        bare = raw_job()
        bare["metadata"]["labels"] = None
        bare["metadata"]["ownerReferences"] = []
        world.api.has(JOBS, bare)
        await world.do(CreateJob(MANIFEST))
        (request,) = world.api.sent("patch")
        assert request.options == STRATEGIC_PATCH
        assert request.body["metadata"]["uid"] == bare["metadata"]["uid"]
        assert [(job.name, job.is_owned) for job in world.seen.jobs] == [(NAME, True)]

    @pytest.mark.parametrize(
        "change", [{"ownerReferences": [], "annotations": {}}, {"ownerReferences": OTHERS}], ids=str
    )
    async def test_by_anothers_is_refused(self, world: World, change: dict[str, Any]) -> None:
        raw = raw_job()
        raw["metadata"] |= change
        world.api.has(JOBS, raw)
        with pytest.raises(
            JobRefusedError, match="is not this resource's, which needs that name; delete that Job"
        ) as caught:
            await world.do(CreateJob(MANIFEST))
        assert (caught.value.code, caught.value.is_invalid, caught.value.is_final) == (409, False, False)
        assert world.api.sent("patch") == [], "others' are not touched"

    async def test_by_its_own_clean_up_is_as_good(self, world: World) -> None:
        raw = raw_cleanup()
        world.api.has(JOBS, raw)
        await world.do(CreateJob(raw))
        assert world.seen.cleanup is not None
        assert world.api.sent("patch") == []

    async def test_by_one_that_is_gone_since_is_tried_again(self, world: World) -> None:
        world.api.fails("create", "jobs", 409)
        with pytest.raises(ApiError) as caught:
            await world.do(CreateJob(MANIFEST))
        assert (caught.value.code, type(caught.value)) == (409, ApiError)


@pytest.mark.asyncio
class TestJobsThatAreThere:
    async def test_exactly_that_one_is_deleted_and_known_to_go(self, world: World) -> None:
        world.has_job(raw_job())
        await world.do(DeleteJob(NAME, JOB_UID))
        (request,) = world.api.requests
        assert request.body == {"propagationPolicy": "Background", "preconditions": {"uid": JOB_UID}}
        assert [job.is_deleting for job in world.seen.jobs] == [True]

    @pytest.mark.parametrize("code", [404, 409], ids=["gone", "another of that name"])
    async def test_one_that_is_not_there_is_deleted(self, world: World, code: int) -> None:
        world.has_job(raw_job())
        world.api.fails("delete", "jobs", code)
        await world.do(DeleteJob(NAME, JOB_UID))
        assert [job.is_deleting for job in world.seen.jobs] == [True]

    async def test_one_that_may_not_be_deleted_is_an_error(self, world: World) -> None:
        world.has_job(raw_job())
        world.api.fails("delete", "jobs", 403)
        with pytest.raises(ApiError):
            await world.do(DeleteJob(NAME, JOB_UID))
        assert [job.is_deleting for job in world.seen.jobs] == [False]

    async def test_a_patch_changes_fields_and_notes_whose_the_suspension_is(self, world: World) -> None:
        world.has_job(raw_job())
        await world.do(PatchJob(NAME, {"suspend": True}, {ANNOTATION_SUSPENDED: "true"}))
        await world.do(PatchJob(NAME, {"backoffLimit": 9}))
        first, second = world.api.sent("patch")
        assert first.options == STRATEGIC_PATCH
        assert first.body == {"spec": {"suspend": True}, "metadata": {"annotations": {ANNOTATION_SUSPENDED: "true"}}}
        assert second.body == {"spec": {"backoffLimit": 9}}
        (job,) = world.seen.jobs
        assert (job.is_suspended, job.is_suspended_by_us, job.backoff_limit) == (True, True, 9)

    async def test_adoption_adds_to_the_owners(self, world: World) -> None:
        """A merge patch would replace the list, and others' references with it."""
        orphan = raw_job()
        orphan["metadata"]["ownerReferences"] = []
        world.has_job(orphan)
        await world.do(AdoptJob(NAME, JOB_UID))
        (request,) = world.api.sent("patch")
        assert request.options == STRATEGIC_PATCH
        (owner,) = request.body["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"], request.body["metadata"]["uid"]) == (UID, True, JOB_UID)
        assert [job.is_owned for job in world.seen.jobs] == [True]

    @pytest.mark.parametrize(
        "action", [PatchJob(NAME, {"suspend": True}), AdoptJob(NAME, "another")], ids=["patch", "adopt"]
    )
    async def test_what_is_gone_needs_no_change(self, world: World, action: Action) -> None:
        await world.do(action)
        world.has_job(raw_job())
        if isinstance(action, AdoptJob):
            await world.do(action)
        assert len(world.seen.jobs) == 1

    @pytest.mark.parametrize("code", [403, 422, 500])
    async def test_a_change_that_is_refused_is_an_error(self, world: World, code: int) -> None:
        world.has_job(raw_job())
        world.api.fails("patch", "jobs", code)
        with pytest.raises(ApiError):
            await world.do(PatchJob(NAME, {"suspend": True}))


@pytest.mark.asyncio
async def test_what_writes_nothing_is_left_to_others(world: World) -> None:
    for action in (Requeue(1), CountWait(1), EmitEvent("Normal", "a", "b"), LookAgain()):
        await world.do(action)
    assert world.api.requests == []
