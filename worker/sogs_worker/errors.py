"""The ways a run can end badly: one class per cause, each with its exit code (docs/job.md) and its reason."""

from __future__ import annotations


class WorkerError(Exception):
    """Base of all expected failures. `str(error)` is one sentence: what, which object, what to do."""

    exit_code = 70
    reason = "Internal"
    is_permanent = False
    """Whether another attempt would fail the same way, so that there is none."""


class UsageError(WorkerError):
    """The command line or the run document asks for something that does not exist or is not supported."""

    exit_code = 64
    reason = "Usage"
    is_permanent = True


class BadInputError(WorkerError, ValueError):
    """The source is there but is not a scene that can be read."""

    exit_code = 65
    reason = "BadInput"
    is_permanent = True


class SourceMissingError(WorkerError, FileNotFoundError):
    """The source, its bucket or its claim does not exist."""

    exit_code = 66
    reason = "SourceMissing"
    is_permanent = True


class ServiceUnavailableError(WorkerError, ConnectionError):
    """The storage service does not answer or answers that it cannot; worth a retry."""

    exit_code = 69
    reason = "ServiceUnavailable"


class StorageError(WorkerError, OSError):
    """A read or write broke off, or what was stored is not what was sent; worth a retry."""

    exit_code = 74
    reason = "IOError"


class InterruptedRunError(WorkerError):
    """The run was told to stop (SIGTERM), or a later attempt has begun; worth a retry."""

    exit_code = 75
    reason = "Interrupted"


class NotPermittedError(WorkerError, PermissionError):
    """The storage service refuses these credentials, or this operation to them."""

    exit_code = 77
    reason = "NotPermitted"
    is_permanent = True


class ConfigurationError(WorkerError):
    """The surroundings are set up wrongly: no credentials, an unreadable CA, no such endpoint name."""

    exit_code = 78
    reason = "Configuration"
    is_permanent = True


class QualityGateError(WorkerError):
    """An output misses a bound of spec.gate or its target; it is not published, and another run would make the same."""

    exit_code = 80
    reason = "QualityGate"
    is_permanent = True


class OutOfGPUMemoryError(WorkerError):
    """The scene does not fit the memory of the GPU; a retry on one of this size would end in the same way."""

    exit_code = 82
    reason = "OutOfGPUMemory"
    is_permanent = True


class NoGPUError(WorkerError):
    """A GPU was asked for and none is usable here, or the packages that the engine runs there on are not."""

    exit_code = 81
    reason = "NoGPU"
