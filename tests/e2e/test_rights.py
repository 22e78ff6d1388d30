"""The operator's service account may do what it needs and nothing beside."""

from __future__ import annotations

import pytest

from kubectl import Kubectl

pytestmark = pytest.mark.e2e

NEEDED = [
    ("list", "splatcompressions.splats.dev"),
    ("watch", "jobs.batch"),
    ("create", "jobs.batch"),
    ("list", "pods"),
    ("get", "pods/log"),
    ("create", "events"),
    ("list", "events"),
    ("list", "nodes"),
]
FORBIDDEN = [
    ("get", "secrets"),
    ("list", "secrets"),
    ("create", "pods"),
    ("delete", "pods"),
    ("get", "configmaps"),
    ("create", "splatcompressions.splats.dev"),
    ("delete", "splatcompressions.splats.dev"),
    ("patch", "pods"),
    ("create", "pods/exec"),
    ("create", "configmaps"),
    ("create", "serviceaccounts/token"),
    ("patch", "namespaces"),
    ("get", "nodes/proxy"),
    ("patch", "nodes"),
    ("create", "roles.rbac.authorization.k8s.io"),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io"),
    ("impersonate", "users"),
]


def test_the_operator_has_the_rights_it_needs_in_all_namespaces_and_no_others(kubectl: Kubectl) -> None:
    account = Kubectl(kubectl.environment, "splat-operator").list(
        "serviceaccounts", "-l", "app.kubernetes.io/name=splat-operator"
    )[0]["metadata"]["name"]
    user = f"--as=system:serviceaccount:splat-operator:{account}"
    answers = {
        (verb, kind): kubectl.run("auth", "can-i", verb, kind, user, "--all-namespaces", check=False).strip()
        for verb, kind in NEEDED + FORBIDDEN
    }
    assert answers == dict.fromkeys(NEEDED, "yes") | dict.fromkeys(FORBIDDEN, "no")
