"""Helm, and what the chart makes of values."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "splat-operator"


class HelmError(RuntimeError):
    """Helm refused; `str(error)` is what it said."""


@dataclass(frozen=True)
class Helm:
    """Helm commands on the chart, as release `splats` in namespace `splats` unless told otherwise."""

    environment: dict[str, str] = field(repr=False)
    """Not shown: it holds keys."""

    def run(self, *arguments: str) -> str:
        """What a Helm command prints. Raises HelmError."""
        answer = subprocess.run(["helm", *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise HelmError(answer.stderr)
        return answer.stdout

    def template(self, *options: str, release: str = "splats", namespace: str = "splats") -> str:
        """What the chart renders, without the objects of `helm test`."""
        return self.run("template", release, str(CHART), "--namespace", namespace, "--skip-tests", *options)

    def objects(self, *options: str, release: str = "splats", namespace: str = "splats") -> list[dict[str, Any]]:
        text = self.template(*options, release=release, namespace=namespace)
        return [body for body in yaml.safe_load_all(text) if body]


def installed_images(helm: Helm) -> dict[str, Any]:
    """Values for the images of the installed release, which the nodes have; all versions of the chart know them."""
    release = "splat-operator"
    namespace = os.environ.get("NAMESPACE", release)
    values = json.loads(helm.run("get", "values", release, "--namespace", namespace, "--output", "json"))
    worker = {name: value for name, value in values["worker"].items() if name in ("image", "cpuFallback")}
    return {"image": values["image"], "worker": worker}


def of_kind(objects: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body for body in objects if body["kind"] == kind]
