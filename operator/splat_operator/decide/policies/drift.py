"""Which fields of an unfinished Job have drifted from what the spec allows to change in place?"""

from __future__ import annotations

from typing import Any

from splat_operator.api.model import Job
from splat_operator.api.spec import Spec


def drift(job: Job, spec: Spec) -> dict[str, Any]:
    """Fields of the Job's spec to set, by name; None removes one. Empty where nothing differs.

    Suspending stops the Job's pods and uses up no retry; both are the Job controller's work. With a queue `suspend` is
    Kueue's, which would take a change for its own decision.
    """
    suspend = {} if job.queue else {"suspend": (job.is_suspended, spec.suspend)}
    wanted = suspend | {
        "backoffLimit": (job.backoff_limit, spec.retries),
        "activeDeadlineSeconds": (job.active_deadline_s, spec.active_deadline_s),
    }
    return {name: should for name, (is_now, should) in wanted.items() if is_now != should}
