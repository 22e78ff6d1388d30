"""A git repository on this machine, for what reads manifests from one."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


class Repository:
    """A repository with the branch `main`.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        """Its address."""
        return f"file://{self.folder}"

    def commit(self) -> str:
        """Commit the folder as it is; the commit's name."""
        self._git("add", "--all")
        self._git("-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=Change")
        return self._git("rev-parse", "HEAD").strip()

    def write(self, path: str, *manifests: Mapping[str, Any]) -> None:
        """Write a file of manifests."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump_all(manifests))

    def _git(self, *arguments: str) -> str:
        return subprocess.check_output(["git", "-C", str(self.folder), *arguments], text=True)
