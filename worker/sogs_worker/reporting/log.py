"""The Job's log: whatever its container says is a line of JSON (docs/job.md)."""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import IO, Any, TextIO

from sogs_worker.errors import WorkerError
from sogs_worker.reporting.redaction import read_secrets, redact

LOGGER = logging.getLogger(__name__)


def write_line(record: Mapping[str, Any], stream: TextIO | None = None) -> None:
    """Write one line; flushed, since a log is read while the run goes on.

    Args:
        record: the fields beside the time.
        stream: where to; None is standard output.
    """
    stream = stream or sys.stdout
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # In one piece: threads and processes share the stream.
    stream.write(json.dumps({"time": stamp, **record}, ensure_ascii=False) + "\n")
    stream.flush()


def write_message(message: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Tell people something that is not progress."""
    write_line({"level": level, "message": message}, stream)


def start_logging(environment: Mapping[str, str]) -> None:
    """Make lines of what would be plain text in this process, which is a container's.

    That is: records of `logging` and Python's warnings, both from WARNING up, and exceptions that nobody has caught.
    All of it goes through `redact`.

    Args:
        environment: has the secrets that no line may show.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[LineHandler(read_secrets(environment))], force=True)
    logging.raiseExceptions = False  # a record that cannot be formatted is lost, and no traceback is printed of it
    logging.captureWarnings(True)
    sys.excepthook = lambda _kind, error, _trace: log_uncaught(error)
    threading.excepthook = lambda hook: log_uncaught(hook.exc_value)


def log_uncaught(error: BaseException | None) -> None:
    """Log an exception that ends a thread or the process."""
    LOGGER.critical("uncaught %s: %s", type(error).__name__, error, exc_info=error)


def relay(stream: IO[bytes]) -> None:
    """Log what another process writes, line by line until it ends: words of native libraries, or of its interpreter."""
    with stream:
        for line in stream:
            if text := line.decode(errors="replace").strip():
                LOGGER.warning("%s", text)


class LineHandler(logging.Handler):
    """Writes records as lines, with a traceback only of what nobody has expected."""

    def __init__(self, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
        """Begin; `secrets` are shown in no line, and lines go to `stream`, or to standard output."""
        super().__init__()
        self._secrets = tuple(secrets)
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        try:
            fields = {"level": record.levelname.lower(), "message": record.getMessage().strip()}
            if trace := unexpected_traceback(record):
                fields["traceback"] = trace
            write_line({name: redact(text, self._secrets) for name, text in fields.items()}, self._stream)
        except Exception:
            self.handleError(record)


def unexpected_traceback(record: logging.LogRecord) -> str | None:
    """Return the traceback of an error; None of our own failures, and of what libraries warn of and get over."""
    if record.exc_info is None or record.levelno < logging.ERROR or isinstance(record.exc_info[1], WorkerError):
        return None
    return "".join(traceback.format_exception(*record.exc_info))
