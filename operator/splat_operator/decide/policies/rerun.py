"""Which change of the spec runs a failed resource again? One that concerns what the failure was about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from splat_operator.api.spec import Spec
from splat_operator.decide.policies.pending import CONFIGURATION, PENDING_REASONS
from splat_operator.manifests.identity import digest, template_hash

OUTPUT_ONLY = ("Usage", "BadInput", "SourceMissing", "QualityGate")
"""Failures that depend on nothing but what decides the output, whose change is another run in any case."""


def retry_on(reason: str, spec: Spec) -> str:
    """Digest of the part of the spec whose change may help a failure of that reason; it stands in `status.retryOn`.

    Where and with what a pod runs may help all but OUTPUT_ONLY; a deadline helps those that it has ended. A Secret that
    was missing is nothing that the spec can say, so any change will do, as the message says.
    """
    scheduling = {} if reason in OUTPUT_ONLY else {"scheduling": template_hash(spec.scheduling)}
    return digest({**scheduling, **_limits(reason, spec)})


def wants_another_run(status: Mapping[str, Any], *, reason: str, spec: Spec, generation: int) -> bool:
    """Whether the spec of a failed resource has been changed in what its failure was about.

    A status of a version that wrote no `retryOn` says nothing, and is left as it is.
    """
    is_edited = status.get("observedGeneration") != generation
    return is_edited and "retryOn" in status and status["retryOn"] != retry_on(reason, spec)


def _limits(reason: str, spec: Spec) -> dict[str, Any]:
    if reason == "DeadlineExceeded":
        return {"activeDeadlineSeconds": spec.active_deadline_s}
    if reason == CONFIGURATION:
        rest = (spec.active_deadline_s, spec.pending_deadline_s, spec.retries, spec.ttl_s, spec.cache)
        return {"spec": [*rest, spec.deletes_outputs, spec.suspend]}
    return {"pendingDeadlineSeconds": spec.pending_deadline_s} if reason in PENDING_REASONS else {}
