"""A release of the chart for one namespace, beside the installed one and with its images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from chart.helm import CHART, Helm
from installation import RELEASE, TIMEOUT
from kubectl import Kubectl

NAME = "watched"


def install(kubectl: Kubectl, folder: Path) -> str:
    """Install it into the namespace that it serves, with which it goes; the name of its controller."""
    helm, controller = Helm(dict(kubectl.environment)), f"test.splats.dev/{kubectl.namespace}"
    values = {
        **_images(helm),
        "crds": {"enabled": False},
        # What is of the whole cluster would outlive the namespace.
        "rbac": {"aggregateToDefaultRoles": False},
        "admissionPolicy": {"enabled": False},
        "controllerName": controller,
        "cost": {"gpuHour": {"nvidia.com/gpu": 2.5}},
        "watchNamespaces": [kubectl.namespace],
    }
    (folder / "values.json").write_text(json.dumps(values))
    where = ("--namespace", kubectl.namespace, "--values", str(folder / "values.json"))
    helm.run("install", NAME, str(CHART), *where, "--wait", "--timeout", TIMEOUT)
    return controller


def _images(helm: Helm) -> dict[str, Any]:
    """Values for the images that the installed release runs, which the nodes have."""
    namespace = os.environ.get("NAMESPACE", RELEASE)
    installed = json.loads(helm.run("get", "values", RELEASE, "--namespace", namespace, "--output", "json"))
    worker = {name: installed["worker"][name] for name in ("image", "cpuFallback") if name in installed["worker"]}
    return {"image": installed["image"], "worker": worker}
