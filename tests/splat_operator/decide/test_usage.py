"""What a run has used: the time for which its pods held GPUs, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from compressions import SETTINGS, at, decide, job, observed, pod, resource, running_pod, said, succeeded_pod, written
from splat_operator.api.model import Container, Pod, Resource
from splat_operator.api.settings import Settings

PRICED = replace(SETTINGS, gpu_hour_prices={"nvidia.com/gpu": 3.6}, currency="EUR")


def ended(name: str, began: datetime, end: datetime | None, *, exit_code: int = 1, phase: str = "Failed") -> Pod:
    message = said("IOError", "The disk is full.")
    container = Container(started_at=began, finished_at=end, exit_code=exit_code, termination_message=message)
    return pod(name=name, phase=phase, container=container)


def done(began: datetime, end: datetime, **changes: Any) -> Pod:
    whole = succeeded_pod(**changes)
    return replace(whole, container=replace(whole.container, started_at=began, finished_at=end))


def status_of(owner: Resource, *pods: Pod, settings: Settings = SETTINGS, **of_job: Any) -> Mapping[str, Any]:
    return written(decide(observed(owner, jobs=[job(owner, **of_job)], pods=pods), settings=settings))


def test_the_time_of_the_container_counts_and_not_the_workers_own() -> None:
    status = status_of(resource(), done(at(0), at(40)), is_complete=True)
    assert status["gpuSeconds"] == 40
    assert "cost" not in status


def test_each_gpu_counts() -> None:
    assert status_of(resource(gpu={"count": 4}), done(at(0), at(40)), is_complete=True)["gpuSeconds"] == 160


def test_failed_attempts_count_too() -> None:
    attempts = ended("garden-1", at(0), at(30)), ended("garden-2", at(35), at(40))
    status = status_of(resource(), *attempts, done(at(50), at(60)), is_complete=True)
    assert status["gpuSeconds"] == 45


def test_a_failed_run_has_used_something() -> None:
    attempt = ended("garden-1", at(0), at(30))
    failure = ("BackoffLimitExceeded", "Too often.")
    assert status_of(resource(retries=0), attempt, failure=failure, settings=PRICED)["cost"] == {
        "amount": 0.03,
        "currency": "EUR",
    }


def test_a_container_that_nobody_saw_end_ended_with_the_job() -> None:
    owner = resource(activeDeadlineSeconds=60)
    failure = ("DeadlineExceeded", "Too long.")
    status = status_of(owner, ended("garden-1", at(0), None), failure=failure, finished_at=at(60))
    assert status["gpuSeconds"] == 60


def test_the_cpu_costs_nothing() -> None:
    status = status_of(resource(gpu={"count": 0}), done(at(0), at(40)), is_complete=True, settings=PRICED)
    assert status["gpuSeconds"] == 0
    assert "cost" not in status


def test_a_gpu_without_a_price_has_no_cost() -> None:
    owner = resource(gpu={"resourceName": "nvidia.com/mig-1g.10gb"})
    status = status_of(owner, done(at(0), at(40)), is_complete=True, settings=PRICED)
    assert status["gpuSeconds"] == 40
    assert "cost" not in status


@pytest.mark.parametrize("end", [at(-5), None])
def test_clocks_that_differ_cost_nothing(end: datetime | None) -> None:
    attempt = ended("garden-1", at(0), end)
    assert status_of(resource(), attempt, failure=("Failed", ""), finished_at=None)["gpuSeconds"] == 0


def test_nothing_is_said_before_the_end() -> None:
    status = status_of(resource(), running_pod(), settings=PRICED)
    assert "gpuSeconds" not in status
    assert "cost" not in status
