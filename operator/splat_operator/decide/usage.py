"""What a run has used: the time for which its pods held GPUs, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from splat_operator.api.model import Pod
from splat_operator.api.settings import Settings
from splat_operator.api.spec import Scheduling

HOUR_S = 3600.0
DIGITS = 6
"""Of an amount: seconds on a cheap GPU are to add up."""


def used(
    pods: Iterable[Pod], scheduling: Scheduling, settings: Settings, *, ended: datetime | None = None
) -> dict[str, Any]:
    """Fields of the status: gpuSeconds and, where the GPU has a price, cost.

    Counted are the pods' containers from start to end, failed attempts too, times their GPUs; whether the worker could
    make use of them is no matter. `ended` is the end of a container that nobody has seen end. Pods that were gone
    before they were seen are missing.
    """
    held_s = scheduling.gpu_count * sum(_ran_s(pod, ended) for pod in pods)
    price = settings.gpu_hour_prices.get(scheduling.gpu_resource)
    if price is None or not scheduling.gpu_count:
        return {"gpuSeconds": held_s}
    amount = round(held_s / HOUR_S * price, DIGITS)
    return {"gpuSeconds": held_s, "cost": {"amount": amount, "currency": settings.currency}}


def _ran_s(pod: Pod, ended: datetime | None) -> float:
    began, end = pod.container.started_at, pod.container.finished_at or ended
    return max(0.0, (end - began).total_seconds()) if began and end else 0.0
