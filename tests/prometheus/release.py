"""A release of the chart for one namespace, beside the installed one and with its images."""

from __future__ import annotations

import json
from pathlib import Path

from chart.helm import CHART, Helm, installed_images
from installation import TIMEOUT
from kubectl import Kubectl

NAME = "watched"


def install(kubectl: Kubectl, folder: Path) -> str:
    """Install it into the namespace that it serves, with which it goes; the name of its controller."""
    helm, controller = Helm(dict(kubectl.environment)), f"test.splats.dev/{kubectl.namespace}"
    values = {
        **installed_images(helm),
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
