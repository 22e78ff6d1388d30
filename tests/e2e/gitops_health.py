"""How Argo CD, with the project's health check, and Flux judge resources: each by its own code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cluster.cache import default_cache
from cluster.go_groups import GITOPS
from cluster.lifecycle import build_besides

CHECK = Path(__file__).parents[2] / "argocd" / "resource_customizations" / "splats.dev" / "SplatCompression"
"""The folder of the health check and its cases."""
UNOBSERVED = "Waiting for the operator to observe the spec."


class Health(NamedTuple):
    """One judgement, in the tool's own words."""

    status: str
    message: str


class Judgement(NamedTuple):
    """Both tools' judgements of one resource."""

    argocd: Health
    flux: Health


def judge(resources: Sequence[Mapping[str, Any]]) -> dict[str, Judgement]:
    """Judge resources; by their names."""
    program = build_besides(default_cache(), GITOPS) / "gitops-health"
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(resources)})
    answer = subprocess.run([program, CHECK / "health.lua"], input=listed, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    judgements = [
        Judgement(*(Health(**each[tool]) for tool in Judgement._fields)) for each in json.loads(answer.stdout)
    ]
    return {each["metadata"]["name"]: judgement for each, judgement in zip(resources, judgements, strict=True)}
