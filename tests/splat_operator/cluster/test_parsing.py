"""From objects as the API server gives them to the model."""

from __future__ import annotations

from typing import Any

import pytest

from compressions import JOB_UID, NOW, SETTINGS, UID, at, resource
from splat_operator.api.model import Container
from splat_operator.cluster.parsing import assemble, parse_job, parse_pod, parse_resource
from splat_operator.manifests.identity import template_hash
from splat_operator.manifests.job import build_job

META = {"name": "garden", "namespace": "default", "uid": UID, "resourceVersion": "7", "generation": 3}


def raw_job(**status: Any) -> dict[str, Any]:
    manifest = build_job(spec=resource().spec, key=resource().key, uid=UID, settings=SETTINGS)
    manifest["metadata"] |= {"uid": JOB_UID, "creationTimestamp": "2026-01-01T12:00:00Z"}
    return {**manifest, "status": status}


def raw_pod(**status: Any) -> dict[str, Any]:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "uid": JOB_UID, "controller": True}
    meta = {"name": "garden-x", "creationTimestamp": "2026-01-01T12:00:00Z", "ownerReferences": [owner]}
    return {"metadata": meta, "status": status}


def in_state(**state: Any) -> dict[str, Any]:
    other = {"name": "istio-proxy", "state": {"running": {"startedAt": "2026-01-01T11:00:00Z"}}}
    return raw_pod(phase="Running", containerStatuses=[other, {"name": "worker", "state": state}])


def test_resource_without_status() -> None:
    parsed = parse_resource({"metadata": META, "spec": {"suspend": True}})
    assert (parsed.key, parsed.uid, parsed.generation) == (("default", "garden"), UID, 3)
    assert parsed.spec.suspend
    assert parsed.status == {}
    assert parsed.deleted_at is None


def test_resource_under_deletion() -> None:
    deleting = {**META, "deletionTimestamp": "2026-01-01T12:00:00Z"}
    assert parse_resource({"metadata": deleting, "spec": {}}).deleted_at == NOW


def test_job_that_was_just_made_is_the_one_that_was_wanted() -> None:
    job = parse_job(raw_job())
    assert job.template_hash == template_hash(resource().spec.scheduling)
    assert (job.backoff_limit, job.is_suspended, job.is_finished) == (3, False, False)
    assert job.created_at == NOW


def test_complete_job() -> None:
    condition = {"type": "Complete", "status": "True"}
    job = parse_job(raw_job(conditions=[condition], completionTime="2026-01-01T12:00:42Z"))
    assert job.is_complete
    assert job.finished_at == at(42)


def test_failed_job() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "x"}
    job = parse_job(raw_job(conditions=[{**condition, "lastTransitionTime": "2026-01-01T12:00:42Z"}], failed=1))
    assert job.failure == ("PodFailurePolicy", "x")
    assert (job.finished_at, job.failed_pods) == (at(42), 1)


@pytest.mark.parametrize("kind", ["FailureTarget", "SuccessCriteriaMet", "Suspended"])
def test_job_whose_pods_still_stop_is_not_finished(kind: str) -> None:
    assert not parse_job(raw_job(conditions=[{"type": kind, "status": "True"}])).is_finished


def test_condition_that_is_false_counts_for_nothing() -> None:
    assert not parse_job(raw_job(conditions=[{"type": "Failed", "status": "False"}])).is_finished


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, Container(), id="silent"),
        pytest.param({"waiting": {"reason": "A", "message": "b"}}, Container(waiting=("A", "b")), id="waiting"),
        pytest.param({"running": {"startedAt": "2026-01-01T12:00:00Z"}}, Container(started_at=NOW), id="running"),
        pytest.param(
            {
                "terminated": {
                    "exitCode": 0,
                    "reason": "Completed",
                    "message": "{}",
                    "finishedAt": "2026-01-01T12:00:42Z",
                }
            },
            Container(exit_code=0, exit_reason="Completed", termination_message="{}", finished_at=at(42)),
            id="terminated",
        ),
    ],
)
def test_container_is_the_workers(state: dict[str, Any], expected: Container) -> None:
    assert parse_pod(in_state(**state)).container == expected


def test_pod_without_status() -> None:
    pod = parse_pod(raw_pod())
    assert (pod.phase, pod.container, pod.scheduled_at, pod.unschedulable) == ("Pending", Container(), None, None)
    assert pod.job_uid == JOB_UID


def test_unschedulable_pod() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no GPU"}
    pod = parse_pod(raw_pod(phase="Pending", conditions=[condition]))
    assert pod.unschedulable == ("Unschedulable", "no GPU")
    assert pod.scheduled_at is None


def test_disrupted_pod() -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": "drain"}
    assert parse_pod(raw_pod(conditions=[condition])).disruption == ("EvictionByEvictionAPI", "drain")


def test_owner_that_does_not_control_counts_for_nothing() -> None:
    pod = raw_pod()
    pod["metadata"]["ownerReferences"] = [{"uid": "a"}, {"uid": "b", "kind": "Job", "controller": True}]
    assert parse_pod(pod).job_uid == "b"
    del pod["metadata"]["ownerReferences"]
    assert parse_pod(pod).job_uid == ""


def changed_job(*, owner: dict[str, Any] | None, uid: str | None = UID, cleans_up_for: str = "") -> dict[str, Any]:
    """The resource's Job with another controller, and another UID noted on it; None: without."""
    raw = raw_job()
    raw["metadata"] |= {"ownerReferences": [owner] if owner else [], "annotations": {}}
    if uid:
        raw["metadata"]["annotations"]["splats.dev/compression-uid"] = uid
    if cleans_up_for:
        raw["metadata"]["labels"]["splats.dev/cleanup-of"] = cleans_up_for
    return raw


OURS = {"apiVersion": "splats.dev/v1alpha1", "kind": "SplatCompression", "uid": UID, "controller": True}
WHOSE: dict[str, tuple[dict[str, Any], str]] = {
    "its own": (changed_job(owner=OURS), "jobs"),
    "its own by an earlier version": (changed_job(owner=OURS, uid=None), "jobs"),
    "its own, by a later version of the API": (changed_job(owner={**OURS, "apiVersion": "splats.dev/v1"}), "jobs"),
    "its own without an owner": (changed_job(owner=None), "jobs"),
    "an earlier resource's": (changed_job(owner={**OURS, "uid": "earlier"}, uid="earlier"), "orphans"),
    "an earlier resource's that was orphaned": (changed_job(owner=None, uid="earlier"), "orphans"),
    "its clean-up": (changed_job(owner=None, uid=None, cleans_up_for=UID), "cleanup"),
    "an earlier clean-up": (changed_job(owner=None, uid=None, cleans_up_for="earlier"), "orphans"),
    "of another kind's": (changed_job(owner={**OURS, "kind": "CronJob", "apiVersion": "batch/v1"}), ""),
    "of another group's": (changed_job(owner={**OURS, "apiVersion": "splats.example/v1"}), ""),
    "another's that copied our notes": (changed_job(owner={**OURS, "kind": "Workflow", "uid": "x"}), ""),
    "nobody's, with our label": (changed_job(owner=None, uid=None), ""),
}


@pytest.mark.parametrize("case", WHOSE)
def test_whose_a_job_with_our_label_is(case: str) -> None:
    raw, place = WHOSE[case]
    pod = raw_pod(phase="Running")
    seen = assemble(resource(), [raw], [pod])
    places = {"jobs": seen.jobs, "orphans": seen.orphans, "cleanup": (seen.cleanup,) if seen.cleanup else ()}
    assert [name for name, jobs in places.items() if jobs] == ([place] if place else [])
    assert [each.name for each in seen.pods] == (["garden-x"] if place else []), "others' pods are not waited for"
    if place == "jobs":
        assert seen.jobs[0].is_owned == ("without an owner" not in case)


def test_pods_of_other_controllers_are_left_out() -> None:
    pod = raw_pod(phase="Running")
    pod["metadata"]["ownerReferences"][0]["kind"] = "ReplicaSet"
    assert assemble(resource(), [], [pod]).pods == ()


INIT: dict[str, tuple[list[dict[str, Any]], tuple[str, str] | None]] = {
    "none": ([], None),
    "runs": ([{"name": "a", "state": {"running": {}}, "started": True}], None),
    "waits": ([{"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}], ("a", "ErrImagePull")),
    "has not begun": ([{"name": "a", "state": {"waiting": {"reason": "PodInitializing"}}}], None),
    "second of two": (
        [
            {"name": "a", "state": {"terminated": {"exitCode": 0}}},
            {"name": "b", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
        ],
        ("b", "ImagePullBackOff"),
    ),
    "beside a sidecar": (
        [
            {"name": "a", "state": {"running": {}}, "started": True},
            {"name": "b", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}},
        ],
        ("b", "Error"),
    ),
}


@pytest.mark.parametrize("case", INIT)
def test_the_first_init_container_that_says_why(case: str) -> None:
    statuses, expected = INIT[case]
    init = parse_pod(raw_pod(phase="Pending", initContainerStatuses=statuses)).init
    found = init and (init.name, init.state.waiting[0] if init.state.waiting else init.state.exit_reason)
    assert found == expected
