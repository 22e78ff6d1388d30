"""A store whose user is killed at one of its writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sogs_worker.storage.local.store import LocalStore

WRITES = ("upload", "copy", "delete", "delete_many")


class Killed(BaseException):
    """The process ends here; nothing after it happens."""


class Mortal(LocalStore):
    """A folder whose user is killed at one of its writes, before or after it is done."""

    def __init__(
        self, root: Path, address: str | None = None, *, dies_at: int | None = None, is_done: bool = False
    ) -> None:
        super().__init__(root, address)
        self.writes = 0
        self._is_dead = False
        for name in WRITES:
            setattr(self, name, self._count(getattr(super(), name), dies_at, is_done=is_done))

    def _count(self, write: Callable[..., Any], dies_at: int | None, *, is_done: bool) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            if self._is_dead:  # a thread of the killed process
                raise Killed
            place, self.writes = self.writes, self.writes + 1
            if place != dies_at:
                return write(*arguments, **options)
            self._is_dead = True
            if is_done:
                write(*arguments, **options)
            raise Killed

        return counted


def copy_tree(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
