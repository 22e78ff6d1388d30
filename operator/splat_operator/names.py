"""The words that the operator shares with its surroundings: API names, labels, phases, exit codes."""

from __future__ import annotations

GROUP = "splats.dev"
VERSION = "v1alpha1"
KIND = "SplatCompression"
PLURAL = "splatcompressions"
MANAGER = "splat-operator"

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_NAME = "app.kubernetes.io/name"
LABEL_COMPRESSION = "splats.dev/compression"
"""On Jobs and their pods: the name of the resource they belong to."""

ANNOTATION_RUN = "splats.dev/run"
"""On pods: the run document (docs/job.md), mounted as a file by the downward API."""
ANNOTATION_TEMPLATE = "splats.dev/template-hash"
"""On Jobs: hash of the scheduling part of the spec that the pod template was made from."""

CONTAINER = "worker"

PENDING, RUNNING, SUSPENDED, SUCCEEDED, FAILED = "Pending", "Running", "Suspended", "Succeeded", "Failed"
TERMINAL_PHASES = (SUCCEEDED, FAILED)

EXIT_REASONS = {
    64: "Usage",
    65: "BadInput",
    66: "SourceMissing",
    69: "ServiceUnavailable",
    70: "Internal",
    74: "IOError",
    75: "Interrupted",
    77: "NotPermitted",
    78: "Configuration",
    80: "QualityGate",
    81: "NoGPU",
}
"""The worker's exit codes (docs/job.md) and the reason each stands for."""

PERMANENT_EXIT_CODES = (64, 65, 66, 77, 78, 80)
"""A retry cannot help these: they fail the Job at once."""
