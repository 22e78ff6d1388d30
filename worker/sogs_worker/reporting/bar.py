"""The progress bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from sogs_worker.reporting.progress import Status


class Bar:
    """A line that is drawn anew and disappears at the end. Use it in a `with` block."""

    def __init__(self, stream: TextIO) -> None:
        self._rich = RichProgress(
            TextColumn("{task.fields[scenes]}{task.fields[stage]:<6}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[left]}"),
            console=Console(file=stream),
            transient=True,
            # Results go to standard output, which may be a file: rich must not catch them for the terminal.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._rich.add_task("", total=1.0, scenes="", stage="", left="")

    def __enter__(self) -> Bar:
        """Begin to draw."""
        self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe the line."""
        self._rich.stop()

    def show(self, status: Status) -> None:
        """Note what to draw next."""
        current = min(status.scenes_done + 1, status.scenes_total)
        scenes = f"{current}/{status.scenes_total}  " if status.scenes_total > 1 else ""
        left = "" if status.eta_s is None else f"{format_seconds(status.eta_s)} left"
        self._rich.update(self._task, completed=status.fraction, scenes=scenes, stage=status.stage, left=left)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Wipe the line during a block."""
        self._rich.stop()
        try:
            yield
        finally:
            self._rich.start()


def format_seconds(seconds: int) -> str:
    """Write a duration: 59 s, 2:05, 1:00:00."""
    minutes, rest = divmod(seconds, 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
