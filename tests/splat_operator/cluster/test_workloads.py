"""Kueue's Workloads: whose Job each is about, and what it says of the Job's admission."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compressions import JOB_UID, KEY
from raw_objects import raw_job, raw_resource, raw_workload
from splat_operator.api.model import Admission, Key
from splat_operator.api.names import DEFAULT_CONTROLLER, PLURAL
from splat_operator.cluster.paths import JOBS, WORKLOADS
from splat_operator.cluster.store import Store
from splat_operator.cluster.stripping import strip
from splat_operator.cluster.workloads import key_of_workload, parse_workload

NO_QUOTA = (
    "couldn't assign flavors to pod set main: insufficient unused quota for nvidia.com/gpu in flavor a, 1 more needed"
)


def condition(kind: str, status: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "Pending", "message": message, "lastTransitionTime": "x"}


SAYS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "nothing yet": ({}, {}, ""),
    "no quota": ({}, {"conditions": [condition("QuotaReserved", "False", NO_QUOTA)]}, NO_QUOTA),
    "admitted": (
        {},
        {
            "conditions": [
                condition("QuotaReserved", "True", "Quota reserved"),
                condition("Admitted", "True", "Admitted"),
            ]
        },
        "",
    ),
    "a check waits": (
        {},
        {
            "conditions": [condition("QuotaReserved", "True"), condition("Admitted", "False", "x")],
            "admissionChecks": [
                {"name": "budget", "state": "Pending", "message": "waits for money"},
                {"name": "nodes", "state": "Ready", "message": "there"},
                {"name": "other", "state": "Retry", "message": ""},
            ],
        },
        "admission check budget: waits for money; admission check other: pending",
    ),
    "not active": (
        {"active": False},
        {"conditions": [condition("QuotaReserved", "False", NO_QUOTA)]},
        "the Workload is not active; set its spec.active to true",
    ),
}


@pytest.mark.parametrize("case", SAYS)
def test_words(case: str) -> None:
    spec, status, words = SAYS[case]
    raw = raw_workload(spec=spec, status=status)
    assert parse_workload(strip(WORKLOADS, raw)) == Admission(JOB_UID, words)


@pytest.mark.parametrize("served", ["v1beta1", "v1beta2"])
def test_the_words_alone_are_kept(served: str) -> None:
    raw = raw_workload(
        status={"conditions": [condition("QuotaReserved", "False", NO_QUOTA)], "requeueState": {"count": 1}}
    )
    raw |= {"apiVersion": f"kueue.x-k8s.io/{served}"}
    raw["spec"]["podSets"] = [{"template": {"spec": "secret"}}]
    assert "secret" not in json.dumps(strip(WORKLOADS, raw))


@pytest.mark.parametrize(
    ("owner", "key"),
    [
        ({"apiVersion": "batch/v1", "kind": "Job", "name": "garden-0123456789", "controller": True}, KEY),
        (
            {"apiVersion": "batch/v1", "kind": "Job", "name": "my-own-garden-0123456789", "controller": True},
            "my-own-garden",
        ),
        ({"apiVersion": "batch/v1", "kind": "Job", "name": "garden", "controller": True}, None),
        ({"apiVersion": "batch/v1", "kind": "Job", "name": "garden-0123456789"}, None),
        ({"apiVersion": "kubeflow.org/v1", "kind": "Job", "name": "garden-0123456789", "controller": True}, None),
        ({"apiVersion": "v1", "kind": "Pod", "name": "garden-0123456789", "controller": True}, None),
        (None, None),
    ],
)
def test_whose_it_is(owner: dict[str, Any] | None, key: Key | str | None) -> None:
    raw = raw_workload()
    raw["metadata"]["ownerReferences"] = [owner] if owner else None
    assert key_of_workload(raw) == (Key(KEY.namespace, key) if isinstance(key, str) else key)


@pytest.fixture
def store() -> Store:
    store = Store(DEFAULT_CONTROLLER)
    store.put(PLURAL, raw_resource())
    store.put(JOBS, raw_job())
    return store


def seen(store: Store) -> list[str]:
    observed = store.observe(KEY)
    assert observed is not None
    return [each.message for each in observed.admissions if each.job_uid == JOB_UID]


def test_a_change_of_the_words_is_news_and_nothing_else_is(store: Store) -> None:
    said = {"conditions": [condition("QuotaReserved", "False", NO_QUOTA)]}
    assert store.put(WORKLOADS, raw_workload(8)) == {KEY}
    assert store.put(WORKLOADS, raw_workload(9, status=said), is_change=True) == {KEY}
    assert seen(store) == [NO_QUOTA]
    assert store.put(WORKLOADS, raw_workload(10, status={**said, "requeueState": {}}), is_change=True) == set()
    assert store.remove(WORKLOADS, raw_workload(11)) == {KEY}
    assert seen(store) == []


def test_those_of_others_are_not_kept(store: Store) -> None:
    other = raw_workload(8)
    other["metadata"]["ownerReferences"][0]["name"] = "training-0123456789"
    assert store.put(WORKLOADS, other) == set()
    assert store.observe(Key(KEY.namespace, "training")) is None


def test_its_end_is_no_reason_to_doubt_that_all_pods_were_seen() -> None:
    """A Workload that goes says nothing about Jobs; live reads are for those."""
    store = Store(DEFAULT_CONTROLLER, clock := lambda: 1e6)
    store._doubted_until = clock() - 1
    store.put(PLURAL, raw_resource())
    store.put(WORKLOADS, raw_workload(8))
    store.remove(WORKLOADS, raw_workload(9))
    observed = store.observe(KEY)
    assert observed is not None
    assert not observed.is_behind
