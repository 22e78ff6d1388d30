"""What the operator may do: read from the roles that the chart renders, which state it alone, or asked of a cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from chart.helm import of_kind

Rule = Mapping[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """To do `verb` to `resource`, written as plural.group or plural/subresource, of any name or of one."""

    verb: str
    resource: str
    name: str = ""


def rights(rules: Iterable[Rule]) -> set[Right]:
    """The rights that rules give, one by one."""
    found = set()
    for rule in rules:
        groups, names = rule.get("apiGroups") or [], rule.get("resourceNames") or [""]
        for verb, group, resource, name in product(rule["verbs"], groups, rule.get("resources") or [], names):
            kind, _, part = resource.partition("/")
            full = f"{kind}.{group}" if group else kind
            found.add(Right(verb, f"{full}/{part}" if part else full, name))
    return found


def granted(objects: Sequence[dict[str, Any]], account: str, namespace: str) -> set[Right]:
    """The rights that the bindings among rendered objects give the account in a namespace."""
    made = [*of_kind(objects, "Role"), *of_kind(objects, "ClusterRole")]
    roles = {(role["metadata"].get("namespace", ""), role["metadata"]["name"]): role["rules"] for role in made}
    found = set()
    for binding in [*of_kind(objects, "RoleBinding"), *of_kind(objects, "ClusterRoleBinding")]:
        where = binding["metadata"].get("namespace", "")
        if where in ("", namespace) and account in [subject["name"] for subject in binding["subjects"]]:
            found |= rights(roles[where, binding["roleRef"]["name"]])
    return found


def held(environment: dict[str, str], user: str, namespace: str) -> set[Right]:
    """The rights that the API server says the user has in a namespace, without those that every account has."""
    anybody = f"{user.rpartition(':')[0]}:nobody"
    return _ask(environment, user, namespace) - _ask(environment, anybody, namespace)


def _ask(environment: dict[str, str], user: str, namespace: str) -> set[Right]:
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    command = ["kubectl", "create", "--raw", path, "--filename=-", f"--as={user}"]
    review = json.dumps({**kind, "spec": {"namespace": namespace}})
    answer = subprocess.run(command, env=environment, input=review, capture_output=True, text=True, check=True)
    return rights(json.loads(answer.stdout)["status"]["resourceRules"])
