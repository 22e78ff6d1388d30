"""A release of the chart beside the installed one, as its README says, for what a test does to releases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chart.helm import CHART, Helm, installed_images
from kubectl import Kubectl


@dataclass(frozen=True)
class Release:
    """A release in the namespace of `kubectl`, with the images of the installed one.

    Attributes:
        kubectl: of its namespace.
        folder: for its values.
    """

    kubectl: Kubectl
    folder: Path

    @property
    def name(self) -> str:
        """Its own: its ClusterRoles, which carry it, stand beside those of tests that run at the same time."""
        return f"next-{self.kubectl.namespace}"

    @property
    def controller(self) -> str:
        """What it acts for: `spec.managedBy` of its resources."""
        return f"test.splats.dev/{self.kubectl.namespace}"

    def install(self, chart: Path = CHART, *options: str) -> None:
        """Install it and wait until its operator is ready."""
        beside = ("--set", f"crds.enabled=false,controllerName={self.controller}")
        self.helm("install", str(chart), "--values", str(self._images()), *beside, *options, "--wait")

    def upgrade(self, *options: str) -> None:
        """Upgrade it to the working tree's chart with the values that it has, and wait likewise."""
        self.helm("upgrade", str(CHART), "--reset-then-reuse-values", *options, "--wait")

    def helm(self, command: str, *arguments: str) -> str:
        """Run a command of Helm on it; what it prints. Raises HelmError."""
        helm = Helm(dict(self.kubectl.environment))
        return helm.run(command, self.name, *arguments, "--namespace", self.kubectl.namespace)

    def _images(self) -> Path:
        path = self.folder / "images.json"
        path.write_text(json.dumps(installed_images(Helm(dict(self.kubectl.environment)))))
        return path
