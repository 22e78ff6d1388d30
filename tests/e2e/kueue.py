"""The real Kueue, from its own chart, and queues for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chart.helm import Helm
from cluster.cache import Cache
from cluster.container_runtime import load_image
from cluster.go_groups import QUEUES
from cluster.lifecycle import build_besides
from cluster.oci import write_program_image

NAMESPACE = "kueue-system"
RELEASE = "kueue"
REPOSITORY, TAG = "localhost/kueue", "0.17.0"
MANAGED = {"splats.dev/test-of": "kueue"}
"""Label of the namespaces that it looks at; those of other tests do not wait for its webhook."""


class Kueue:
    """An installation, whose settings may be changed.

    Args:
        cache: of the embedded cluster.
        environment: of helm.
        folder: for the image and values.
    """

    def __init__(self, cache: Cache, environment: Mapping[str, str], folder: Path) -> None:
        self._helm = Helm(dict(environment))
        self._folder = folder
        built = build_besides(cache, QUEUES)
        self._chart = built / "chart"
        (folder / "manager").write_bytes((built / "kueue").read_bytes())  # what the chart's pod calls it
        write_program_image(folder / "kueue.tar", name=f"{REPOSITORY}:{TAG}", program=folder / "manager")
        load_image(cache, folder / "kueue.tar")

    def install(self, **configuration: Any) -> None:
        """Install it, or change its configuration, and wait until it serves."""
        whole = {
            "apiVersion": "config.kueue.x-k8s.io/v1beta2",
            "kind": "Configuration",
            "health": {"healthProbeBindAddress": ":8081"},
            "metrics": {"bindAddress": ":8443"},
            "webhook": {"port": 9443},
            "leaderElection": {"leaderElect": False},
            "integrations": {"frameworks": ["batch/job"]},
            "managedJobsNamespaceSelector": {"matchLabels": MANAGED},
            **configuration,
        }
        manager = {"image": {"repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"}, "resources": None}
        probe = {"initialDelaySeconds": 1}
        values = {
            "controllerManager": {"manager": manager, "readinessProbe": probe},
            "managerConfig": {"controllerManagerConfigYaml": json.dumps(whole)},
        }
        file = self._folder / "values.json"
        file.write_text(json.dumps(values))
        where = ("--namespace", NAMESPACE, "--create-namespace")
        self._helm.run("upgrade", "--install", RELEASE, str(self._chart), *where, "--values", str(file), "--wait")

    def uninstall(self) -> None:
        """Remove it with its definitions and all that is of them."""
        self._helm.run("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--ignore-not-found")


def flavor(name: str) -> dict[str, Any]:
    """Describe any node."""
    return _object("ResourceFlavor", name, spec={})


def cluster_queue(name: str, *, gpus: int, **spec: Any) -> dict[str, Any]:
    """Describe a queue for as many GPUs of the flavor of its name, and for processors and memory without end."""
    amounts = {"cpu": 1000, "memory": "1000Gi", "nvidia.com/gpu": gpus}
    quotas = [{"name": resource, "nominalQuota": amount} for resource, amount in amounts.items()]
    groups = [{"coveredResources": list(amounts), "flavors": [{"name": name, "resources": quotas}]}]
    return _object("ClusterQueue", name, spec={"namespaceSelector": {}, "resourceGroups": groups, **spec})


def local_queue(name: str, of: str) -> dict[str, Any]:
    """Describe a namespace's entry to a queue."""
    return _object("LocalQueue", name, spec={"clusterQueue": of})


def priority_class(name: str, value: int) -> dict[str, Any]:
    """Describe a priority; the higher value comes first."""
    return _object("WorkloadPriorityClass", name, value=value)


def _object(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": {"name": name}, **fields}
