"""What sentences for users of the resource recommend, said to users of the command."""

from __future__ import annotations

import re

from sogs_worker.errors import WorkerError

ENCODER_FIELD = re.compile(
    r"(?<![\w./-])(?:spec\.)?encoder\.(engine|format|quality|seed|shBands|target(?:\.(?:maxSplats|maxBytes|minPSNR))?)\b"
)
OPTIONS = {
    "shBands": "sh-bands",
    "target.maxSplats": "target-splats",
    "target.maxBytes": "target-bytes",
    "target.minPSNR": "target-psnr",
}
"""Options that are not called as the encoder's field."""

REMEDIES = {
    "spec.source.uri": "IN",
    "spec.source.include": "--include",
    "spec.source.exclude": "--exclude",
    "spec.destination.uri": "OUT",
    "spec.destination.names": "--names",
    "spec.gate.minPSNR": "--min-psnr",
    "spec.gate.maxSizeBytes": "--max-bytes",
    "spec.gate.minRatio": "--min-ratio",
    "name their Secret in s3.credentialsSecretRef": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "put its CA into the Secret of s3.caSecretRef": "name it in AWS_CA_BUNDLE (s3) or SSL_CERT_FILE (https)",
    "s3.endpoint": "AWS_ENDPOINT_URL",
    "raise the ephemeral-storage of spec.resources or use a node with more disk": "make room there or set TMPDIR",
    "raise the ephemeral-storage of spec.resources": "make room there or set TMPDIR",
    "ask for a larger GPU or MIG slice, or set spec.gpu.count to 0 to use the CPU": "use a larger one, or --device cpu",
    "raise the memory of spec.resources.limits": "use a machine with more",
    "report it with the pod's log": "report it with the scene",
}


def in_options(fault: WorkerError) -> WorkerError:
    """Name the command's options, and recommend what its user can do."""
    text = ENCODER_FIELD.sub(lambda field: f"--{OPTIONS.get(field[1], field[1])}", str(fault))
    for said, meant in REMEDIES.items():
        text = text.replace(said, meant)
    return type(fault)(text)
