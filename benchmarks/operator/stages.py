"""What kwok does to the benchmark's nodes and pods, as its Stages (kwok.sigs.k8s.io, Stages Configuration).

A template is Go's; `.` is the object. It gives the status that kwok merges into the object's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.operator.worker import termination_message

Json = dict[str, Any]

VERSION = "kwok.x-k8s.io/v1alpha1"
START_S = 0.3
"""From a pod's scheduling to its container's start, as on the embedded cluster's real node."""

LABEL_COMPRESSION = "splats.dev/compression"
OWNER = f"{{{{ index $.metadata.labels `{LABEL_COMPRESSION}` }}}}"
"""The resource's name, of a pod; without the quotes that JSON would escape."""

_CONDITIONS = """\
{{ $now := Now }}
conditions:
- {type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
"""
_RUNNING = (
    _CONDITIONS
    + """\
- {type: Ready, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "True", lastTransitionTime: {{ $now | Quote }}}
phase: Running
startTime: {{ $now | Quote }}
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  started: true
  restartCount: 0
  state: {running: {startedAt: {{ $now | Quote }}}}
{{ end }}
"""
)
_SUCCEEDED = (
    _CONDITIONS
    + """\
- {type: Ready, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "False", reason: PodCompleted, lastTransitionTime: {{ $now | Quote }}}
phase: Succeeded
containerStatuses:
{{ range .status.containerStatuses }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: false
  started: false
  restartCount: 0
  state:
    terminated:
      exitCode: 0
      reason: Completed
      message: '@MESSAGE@'
      startedAt: {{ .state.running.startedAt | Quote }}
      finishedAt: {{ $now | Quote }}
{{ end }}
"""
)
_NODE_READY = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- type: {{ .type | Quote }}
  status: {{ .status | Quote }}
  reason: {{ .reason | Quote }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
{{ end }}
phase: Running
"""


def build_stages(*, run_s: float | None) -> list[Json]:
    """Build what a pod's life is: it runs START_S after it was scheduled, and succeeds `run_s` later; None: it runs on.

    A deleted pod goes at once.
    """
    is_there = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    is_deleted = {**is_there, "operator": "Exists"}
    stages = [
        _stage("node-ready", "Node", [{**_phase("Running"), "operator": "NotIn"}], [_patch(_NODE_READY)]),
        _stage("pod-running", "Pod", [is_there, _phase("Pending")], [_patch(_RUNNING)], delay_s=START_S),
        _stage("pod-deleted", "Pod", [is_deleted], [{"delete": True}]),
    ]
    if run_s is None:
        return stages
    succeeded = _patch(_SUCCEEDED.replace("@MESSAGE@", termination_message(OWNER)))
    return [*stages, _stage("pod-succeeded", "Pod", [is_there, _phase("Running")], [succeeded], delay_s=run_s)]


def build_logs(file: Path) -> Json:
    """Build what answers the API server when it asks for a container's log: one file for all."""
    log = {"containers": ["worker"], "logsFile": str(file)}
    return {"kind": "ClusterLogs", "apiVersion": VERSION, "metadata": {"name": "worker"}, "spec": {"logs": [log]}}


def _stage(name: str, kind: str, conditions: list[Json], steps: list[Json], *, delay_s: float = 0) -> Json:
    return {
        "kind": "Stage",
        "apiVersion": VERSION,
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": conditions},
            "delay": {"durationMilliseconds": round(1000 * delay_s)},
            "steps": steps,
        },
    }


def _phase(name: str) -> Json:
    return {"key": ".status.phase", "operator": "In", "values": [name]}


def _patch(template: str) -> Json:
    return {"patch": {"subresource": "status", "root": "status", "template": template}}
