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
LABEL_CLEANUP = "splats.dev/cleanup-of"
"""On the Job that deletes a resource's outputs: the resource's UID. It has no owner, which would take it along."""
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""On Jobs: the LocalQueue. Their `suspend` and where their pods may run are Kueue's then."""
LABEL_QUEUE_PRIORITY = "kueue.x-k8s.io/priority-class"
"""On Jobs: the WorkloadPriorityClass, by which Kueue orders and preempts them; pods do not see it."""
LABEL_JOB_UID = "batch.kubernetes.io/controller-uid"
"""On pods, by the Job controller."""
ANNOTATION_INDEX = "batch.kubernetes.io/job-completion-index"
"""On pods of an Indexed Job, by the Job controller."""

ANNOTATION_RUN = "splats.dev/run"
"""On pods: the run document (docs/job.md), mounted as a file by the downward API."""
ANNOTATION_TEMPLATE = "splats.dev/template-hash"
"""On Jobs: hash of the scheduling part of the spec that the pod template was made from."""
ANNOTATION_UID = "splats.dev/compression-uid"
"""On Jobs: UID of the resource that they were made for, which outlives their owner reference."""
ANNOTATION_QUEUE = "splats.dev/queue-name"
"""On Jobs: the queue that the operator has put them in. A queue label alone may be Kueue's choice."""
ANNOTATION_SUSPENDED = "splats.dev/suspended"
"""On Jobs that the operator has suspended; those that somebody else has, Kueue for instance, it never resumes."""

FINALIZER = "splats.dev/outputs"
"""On resources whose outputs are to go with them, and on no other."""
DEFAULT_CONTROLLER = "splats.dev/splat-operator"
"""Who acts on resources without spec.managedBy."""

CONTAINER = "worker"

PENDING, QUEUED, RUNNING, SUSPENDED = "Pending", "Queued", "Running", "Suspended"
SUCCEEDED, FAILED = "Succeeded", "Failed"
PHASES = (PENDING, QUEUED, RUNNING, SUSPENDED, SUCCEEDED, FAILED)
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
    82: "OutOfGPUMemory",
}
"""The worker's exit codes (docs/job.md) and the reason each stands for."""

PERMANENT_EXIT_CODES = (64, 65, 66, 77, 78, 80, 82)
"""A retry cannot help these: they fail the Job at once."""
