"""What a command says beside its results: sentences on standard error, as many as its user wants."""

from __future__ import annotations

import logging
import sys

from sogs_worker.reporting.log import LineHandler


def start_messages(*, is_quiet: bool, is_verbose: bool, as_json: bool) -> None:
    """Show the records of `logging` from now on.

    Args:
        is_quiet: show errors only.
        is_verbose: show details and tracebacks too.
        as_json: whether they are for a program.
    """
    level = logging.ERROR if is_quiet else logging.INFO if is_verbose else logging.WARNING
    handler: logging.Handler = LineHandler(stream=sys.stderr) if as_json else logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter(is_verbose=is_verbose))
    logging.basicConfig(handlers=[handler], force=True)
    logging.getLogger("sogs_worker").setLevel(level)
    logging.captureWarnings(True)


class TextFormatter(logging.Formatter):
    """Writes a record as a sentence, and its traceback only where it is wanted."""

    def __init__(self, *, is_verbose: bool) -> None:
        super().__init__("sogs-worker: %(message)s")
        self._is_verbose = is_verbose

    def formatException(self, ei: object) -> str:  # noqa: N802 - the library's name
        """Leave the traceback out."""
        return super().formatException(ei) if self._is_verbose else ""  # type: ignore[arg-type]

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        return super().format(record).rstrip()
