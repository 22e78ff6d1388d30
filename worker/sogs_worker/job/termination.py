"""The termination message: how a pod tells its result; Kubernetes keeps 4096 bytes of it."""

from __future__ import annotations

import json
from bisect import bisect_right
from pathlib import Path
from typing import Any

from sogs_worker.errors import WorkerError
from sogs_worker.publish.manifest import VERSION, Deleted, Result
from sogs_worker.reporting.log import write_message

LIMIT_BYTES = 4096


def encode_success(result: Result) -> bytes:
    """Write a result down, leaving out outputs from the end until it fits."""
    counts = range(len(result.outputs) + 1)
    too_many = bisect_right(counts, LIMIT_BYTES, key=lambda count: len(encode(result.to_message(count))))
    return encode(result.to_message(max(too_many - 1, 0)))


def encode_failure(error: WorkerError) -> bytes:
    """Write an error down, cutting the end of a sentence that is too long."""
    message = punctuate(str(error))
    while (
        len(text := encode({"version": VERSION, "error": {"reason": error.reason, "message": message}})) > LIMIT_BYTES
    ):
        message = message[: len(message) * 9 // 10] + "…"
    return text


def punctuate(text: str) -> str:
    """Make a sentence of an error's words, for readers who see it beside others; an address stays as it is."""
    first = text.split(" ", 1)[0]
    return (text if "/" in first else text[:1].upper() + text[1:]).rstrip(".") + "."


def encode(document: dict[str, Any]) -> bytes:
    """Write JSON without needless bytes."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def report_success(result: Result | Deleted, path: Path) -> None:
    """Leave the result where Kubernetes looks for it."""
    write(encode(result.to_message()) if isinstance(result, Deleted) else encode_success(result), path)


def report_failure(error: WorkerError, path: Path) -> int:
    """Leave the error where Kubernetes looks for it, tell the log, and return the exit code."""
    write_message(punctuate(str(error)), "error")
    write(encode_failure(error), path)
    return error.exit_code


def write(text: bytes, path: Path) -> None:
    """Write the message; a run does not fail because nobody can take it."""
    try:
        path.write_bytes(text)
    except OSError as error:
        write_message(f"the termination message cannot be written to {path}: {error.strerror}", "warning")
