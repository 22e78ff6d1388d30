"""The installed operator's service account has the rights that the chart states, and no others."""

from __future__ import annotations

import os

import pytest

from chart.helm import Helm
from chart.rights import granted, held
from kubectl import Kubectl

pytestmark = pytest.mark.e2e

RELEASE = "splat-operator"


def test_the_operator_has_the_rights_of_the_chart_and_no_others(kubectl: Kubectl) -> None:
    namespace, environment = os.environ.get("NAMESPACE", RELEASE), dict(kubectl.environment)
    (account,) = Kubectl(environment, namespace).list("serviceaccounts", "-l", f"app.kubernetes.io/name={RELEASE}")
    name = account["metadata"]["name"]
    stated = Helm(environment).objects("--set", "crds.enabled=false", release=RELEASE, namespace=namespace)
    user = f"system:serviceaccount:{namespace}:{name}"
    for where in (namespace, kubectl.namespace):
        assert held(environment, user, where) == granted(stated, name, where)
