"""The Jobs of a resource: pure functions from the spec to a manifest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from splat_operator.api import names
from splat_operator.api.model import Action, DeleteJob, Job, Key
from splat_operator.api.settings import Settings
from splat_operator.api.spec import Source, Spec
from splat_operator.manifests.identity import cleanup_name, job_name, template_hash
from splat_operator.manifests.pod import build_template
from splat_operator.manifests.task import cleanup_document, run_document

CLEANUP_RETRIES = 3
CLEANUP_TTL_S = 300
"""It has no result that anybody would still have to read."""
SAFE_TTL_S = 3600
"""A time to live from which on a Job may have it from the start: a shorter one could remove it before its result was
read, so that it would run again, and is set when the result stands in the status."""


def build_job(*, spec: Spec, key: Key, uid: str, settings: Settings) -> dict[str, Any]:
    """Manifest of the Job that makes the outputs of the resource `key` with that UID.

    Raises MergeError where spec.podTemplate cannot be merged.
    """
    complete, queue_labels = settings.defaults.complete(spec), _queue_labels(spec)
    job_labels, queue = labels(key.name), spec.scheduling.queue
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(resource_name=key.name, uid=uid, output=spec.output),
            "namespace": key.namespace,
            "labels": {**job_labels, **queue_labels},
            "annotations": {
                names.ANNOTATION_TEMPLATE: template_hash(spec.scheduling),
                names.ANNOTATION_UID: uid,
                **({names.ANNOTATION_QUEUE: queue} if queue else {}),
                **({names.ANNOTATION_SUSPENDED: "true"} if spec.suspend else {}),
            },
            "ownerReferences": [owner_reference(key, uid)],
        },
        "spec": {
            **_mutable_fields(spec),
            # Kueue lets it begin.
            "suspend": spec.suspend or bool(queue),
            **({"ttlSecondsAfterFinished": spec.ttl_s} if spec.ttl_s is not None and spec.ttl_s >= SAFE_TTL_S else {}),
            **_shares(spec.scheduling.parallelism),
            "podFailurePolicy": _pod_failure_policy(),
            "template": build_template(
                spec=complete, labels=job_labels, document=run_document(complete, key), settings=settings
            ),
        },
    }


def build_cleanup_job(*, spec: Spec, key: Key, uid: str, settings: Settings) -> dict[str, Any]:
    """Manifest of the Job that deletes what the resource has published. Raises MergeError as `build_job`.

    It has no owner: a resource that is deleted in the foreground takes what it owns along first. It is in no queue, as
    it needs no GPU; where Kueue is to hold every Job, it is put into the resource's queue later.
    """
    job_labels, spec = labels(key.name), settings.defaults.complete(spec)
    # Nothing is mounted for the source, which may be gone, and its Secret too.
    destined = replace(spec.output, source=Source())
    scheduling = replace(
        spec.scheduling, gpu_count=0, parallelism=1, pod_template=_without_containers(spec.scheduling.pod_template)
    )
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": cleanup_name(resource_name=key.name, uid=uid),
            "namespace": key.namespace,
            "labels": {**job_labels, names.LABEL_CLEANUP: uid},
        },
        "spec": {
            "backoffLimit": CLEANUP_RETRIES,
            "ttlSecondsAfterFinished": CLEANUP_TTL_S,
            "activeDeadlineSeconds": round(settings.cleanup_deadline_s),
            "podFailurePolicy": _pod_failure_policy(),
            "template": build_template(
                spec=replace(spec, output=destined, scheduling=scheduling),
                labels=job_labels,
                document=cleanup_document(spec.output, key),
                settings=settings,
            ),
        },
    }


def delete_jobs(jobs: Iterable[Job]) -> list[Action]:
    """Delete those that are not on their way out already."""
    return [DeleteJob(job.name, job.uid) for job in jobs if not job.is_deleting]


def labels(resource_name: str) -> dict[str, str]:
    """Labels of a resource's Jobs and their pods."""
    return {
        names.LABEL_NAME: "splat-worker",
        names.LABEL_MANAGED_BY: names.MANAGER,
        names.LABEL_COMPRESSION: resource_name,
    }


def _queue_labels(spec: Spec) -> dict[str, str]:
    """What tells Kueue of a Job. A priority alone is for one that Kueue puts into a queue by itself."""
    wanted = {names.LABEL_QUEUE: spec.scheduling.queue, names.LABEL_QUEUE_PRIORITY: spec.scheduling.queue_priority}
    return {label: value for label, value in wanted.items() if value}


def _mutable_fields(spec: Spec) -> dict[str, Any]:
    deadline = {} if spec.active_deadline_s is None else {"activeDeadlineSeconds": spec.active_deadline_s}
    return {"backoffLimit": spec.retries, **deadline}


def _without_containers(pod_template: Mapping[str, Any]) -> dict[str, Any]:
    """What a pod template says of the pod itself: another command would delete nothing, other volumes are not here."""
    own = ("containers", "initContainers", "volumes")
    spec = {name: value for name, value in pod_template.get("spec", {}).items() if name not in own}
    return {**pod_template, **({"spec": spec} if spec else {})} if pod_template else {}


def _shares(parallelism: int) -> dict[str, Any]:
    """Several pods have an index each, by which they know their share of the scenes."""
    if parallelism == 1:
        return {}
    return {"completionMode": "Indexed", "completions": parallelism, "parallelism": parallelism}


def owner_reference(key: Key, uid: str) -> dict[str, Any]:
    """What makes the resource a Job's controller, and has the Job deleted with it."""
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": key.name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_failure_policy() -> dict[str, Any]:
    """Disruptions use up no retry (first, so that the exit code of a disrupted pod does not count)."""
    return {
        "rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {
                "action": "FailJob",
                "onExitCodes": {
                    "containerName": names.CONTAINER,
                    "operator": "In",
                    "values": list(names.PERMANENT_EXIT_CODES),
                },
            },
        ]
    }
