"""Pods that look at the cluster from inside: one static program and nothing else in their image."""

from __future__ import annotations

from typing import Any

from kubectl import Kubectl

PROBE_IMAGE = "localhost/probe:1"
TIMEOUT_S = 60
# As the operator writes them: not root, nothing writable, system calls filtered.
RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
UNSCHEDULABLE = 'jsonpath={.status.conditions[?(@.type=="PodScheduled")].reason}=Unschedulable'


def start_probe(kubectl: Kubectl, name: str, *arguments: str, gpus: int = 0) -> None:
    """Create a pod that runs the probe once."""
    container = {
        "name": "probe",
        "image": PROBE_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "securityContext": RESTRICTED,
        "resources": {"limits": {"nvidia.com/gpu": gpus} if gpus else {}},
    }
    spec: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
    kubectl.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})


def output_of(kubectl: Kubectl, name: str) -> str:
    """What the probe found, once it has ended well."""
    kubectl.wait("pod", name, "jsonpath={.status.phase}=Succeeded", TIMEOUT_S)
    return kubectl.run("logs", name).strip()
