"""Run commands and learn what they used: wall seconds, peak memory, exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launch.py")
LONGEST_REASON = 120


@dataclass(frozen=True)
class Usage:
    """What a command did.

    Attributes:
        seconds: wall time from before its start to its end; where `timed_out`, to when it was ended.
        peak_rss_bytes: highest resident memory of the process, or of the largest of those it waited for.
        exit_code: negative: the signal that ended it; 127: it could not be started.
        timed_out: it was ended at its limit.
        output: what it wrote to standard output.
        errors: what it wrote to standard error.
    """

    seconds: float
    peak_rss_bytes: int
    exit_code: int
    timed_out: bool
    output: str
    errors: str

    @property
    def failure(self) -> str:
        """Say in one sentence why it failed; empty where it did not."""
        if self.timed_out:
            return f"over {self.seconds:.0f} s"
        if self.exit_code == 0:
            return ""
        how = (
            f"exit code {self.exit_code}" if self.exit_code > 0 else f"ended by {signal.Signals(-self.exit_code).name}"
        )
        return f"{how}: {telling_line(self.errors or self.output)}"


def run_measured(
    command: Sequence[str | Path], *, limit_s: float, environment: Mapping[str, str] | None = None
) -> Usage:
    """Run a command to its end, or for `limit_s` seconds; then it and all it started are killed.

    A command that fails or cannot be started is no error here: the result says so.
    """
    with tempfile.TemporaryDirectory() as folder:
        report, output, errors = (Path(folder) / name for name in ("report", "output", "errors"))
        launch: list[str | Path] = [sys.executable, "-IS", LAUNCHER, str(limit_s), report, *command]
        with output.open("wb") as out, errors.open("wb") as err:
            subprocess.run(  # noqa: S603  # the commands are the caller's: peers are programs of the user's machine
                launch, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, check=True
            )
        measured: dict[str, Any] = json.loads(report.read_text())
        return Usage(**measured, output=output.read_text(errors="replace"), errors=errors.read_text(errors="replace"))


def fill_in(command: Sequence[str], **paths: str | Path) -> list[str]:
    """Put paths in the place of their names in braces; other braces stay as they are."""
    filled = list(command)
    for name, path in paths.items():
        filled = [part.replace(f"{{{name}}}", str(path)) for part in filled]
    return filled


def telling_line(text: str) -> str:
    """Return the line that tells most of a failed program's output: the last that names an error, else the last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if "error" in line.lower()]
    line = next(reversed(named or lines), "it said nothing")
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"
