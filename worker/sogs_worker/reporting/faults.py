"""Exceptions that nobody has thought of, as the sentences that people read."""

from __future__ import annotations

import os

from sogs_worker.errors import OutOfGPUMemoryError, StorageError, WorkerError
from sogs_worker.reporting.redaction import read_secrets, redact


def as_worker_error(error: Exception, place: str) -> WorkerError:
    """Say what went wrong; one of our own errors stays as it is.

    Args:
        error: the exception.
        place: the folder that files are made in, for errors that name no file.
    """
    if isinstance(error, WorkerError):
        return error
    if isinstance(error, OSError):  # this machine's files: the network's failures are translated where they happen
        return StorageError(
            f"{error.filename or place}: {error.strerror or error}; if space is short, raise the ephemeral-storage"
            " of spec.resources"
        )
    if type(error).__name__ == "OutOfMemoryError":  # torch's, without loading it
        return OutOfGPUMemoryError(
            "the scene does not fit the memory of the GPU; ask for a larger GPU or MIG slice, or set spec.gpu.count"
            " to 0 to use the CPU"
        )
    if isinstance(error, MemoryError):
        return WorkerError("the worker ran out of memory; raise the memory of spec.resources.limits")
    words = redact(str(error), read_secrets(os.environ))
    return WorkerError(
        f"the worker failed unexpectedly ({type(error).__name__}: {words}); report it with the pod's log"
    )
