"""The pods of a Job: a pure function from the spec to a pod template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from splat_operator.api import names
from splat_operator.api.settings import Settings
from splat_operator.api.spec import S3, Scheduling, Spec
from splat_operator.manifests import volumes
from splat_operator.manifests.merge import merge

USER = 65532
"""Numeric, so that the kubelet can check runAsNonRoot; the worker's image is made for it, and runs as any other too."""

TERMINATION_LOG = "/dev/termination-log"


def build_template(*, spec: Spec, labels: Mapping[str, str], document: str, settings: Settings) -> dict[str, Any]:
    """The template of pods that do what `document` says, with spec.podTemplate merged over it.

    Raises MergeError where that cannot be merged.
    """
    annotations = {names.ANNOTATION_RUN: document}
    template = {
        "metadata": {"labels": dict(labels), "annotations": annotations},
        "spec": _pod_spec(spec, settings),
    }
    merged = merge(template, spec.scheduling.pod_template)
    # What the operator finds its pods by, and what they are to do, is no matter of taste.
    merged["metadata"]["labels"] = {**(merged["metadata"].get("labels") or {}), **labels}
    merged["metadata"]["annotations"] = {**(merged["metadata"].get("annotations") or {}), **annotations}
    return merged


def _pod_spec(spec: Spec, settings: Settings) -> dict[str, Any]:
    scheduling = spec.scheduling
    return {
        "restartPolicy": "Never",
        # The worker stops within 5 s of SIGTERM; the rest is for a slow disk.
        "terminationGracePeriodSeconds": 10,
        "enableServiceLinks": False,
        # The kernel keeps signals from a container's first process until it listens for them, which Python does late:
        # with the pod's own process in that place, SIGTERM ends the worker from its first moment on.
        "shareProcessNamespace": True,
        # The worker never calls the API. A service account is named for a cloud's credentials, and their tokens are
        # volumes of their own, which are added to the pod whatever this says.
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            **({"runAsUser": USER, "runAsGroup": USER, "fsGroup": USER} if settings.worker_fixed_user else {}),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **scheduling.pod,
        "containers": [_container(spec, settings)],
        "volumes": volumes.volumes(spec.output, settings.defaults.scratch),
    }


def _container(spec: Spec, settings: Settings) -> dict[str, Any]:
    return {
        "name": names.CONTAINER,
        "image": worker_image(spec, settings),
        "imagePullPolicy": spec.scheduling.image_pull_policy or settings.worker_image_pull_policy,
        "command": ["sogs-worker", "run"],
        "env": _environment(spec, settings),
        "resources": _resources(spec.scheduling),
        "volumeMounts": volumes.mounts(spec.output),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
    }


def worker_image(spec: Spec, settings: Settings) -> str:
    """The image that the pods run."""
    return spec.output.image or settings.worker_image


def _resources(scheduling: Scheduling) -> dict[str, Any]:
    """The user's requests and limits and the GPUs, which Kubernetes wants equal in both."""
    gpus = {scheduling.gpu_resource: str(scheduling.gpu_count)} if scheduling.gpu_count else {}
    merged = {kind: {**scheduling.resources.get(kind, {}), **gpus} for kind in ("requests", "limits")}
    return {**scheduling.resources, **{kind: amounts for kind, amounts in merged.items() if amounts}}


def _environment(spec: Spec, settings: Settings) -> list[dict[str, Any]]:
    values = {
        "SPLATS_RUN": volumes.RUN_FILE,
        "SPLATS_SCRATCH": volumes.SCRATCH,
        "SPLATS_VOLUMES": volumes.CLAIMS if volumes.claims(spec.output) else None,
        "SPLATS_TERMINATION_LOG": TERMINATION_LOG,
        "SPLATS_DEVICE": "cuda" if spec.scheduling.gpu_count else "cpu",
        "SPLATS_CPU_FALLBACK": "1" if settings.cpu_fallback else None,
        "SPLATS_CREDENTIALS_SOURCE": spec.output.source.s3.credentials_secret,
        "SPLATS_CREDENTIALS_DESTINATION": spec.output.destination.s3.credentials_secret,
        # Libraries put caches into these, and only the scratch folder can be written.
        "HOME": volumes.SCRATCH,
        "TMPDIR": volumes.SCRATCH,
    }
    plain = [{"name": name, "value": value} for name, value in values.items() if value is not None]
    return [
        *plain,
        *(_run_id() if spec.scheduling.parallelism > 1 else []),
        *_secrets("SOURCE_", spec.output.source.s3),
        *_secrets("DESTINATION_", spec.output.destination.s3),
    ]


def _run_id() -> list[dict[str, Any]]:
    """What the pods that share one source know each other by."""
    field = {"fieldPath": f"metadata.labels['{names.LABEL_JOB_UID}']"}
    return [{"name": "SPLATS_RUN_ID", "valueFrom": {"fieldRef": field}}]


def _secrets(prefix: str, s3: S3) -> list[dict[str, Any]]:
    credentials = s3.credentials_secret and [
        _secret(prefix, "AWS_ACCESS_KEY_ID", s3.credentials_secret),
        _secret(prefix, "AWS_SECRET_ACCESS_KEY", s3.credentials_secret),
        _secret(prefix, "AWS_SESSION_TOKEN", s3.credentials_secret, optional=True),
    ]
    ca = s3.ca_secret and [_secret(prefix, "CA_PEM", s3.ca_secret, key="ca.crt")]
    return [*(credentials or []), *(ca or [])]


def _secret(
    prefix: str, variable: str, secret: str, *, key: str | None = None, optional: bool = False
) -> dict[str, Any]:
    reference = {"name": secret, "key": key or variable, **({"optional": True} if optional else {})}
    return {"name": prefix + variable, "valueFrom": {"secretKeyRef": reference}}
