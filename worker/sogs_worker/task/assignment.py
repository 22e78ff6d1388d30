"""What a run is about: a resource, and where the objects that carry its name are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from sogs_worker.engines.parameters import Parameters
from sogs_worker.naming import name_target, stem_of
from sogs_worker.task.hidden import hidden_folder
from sogs_worker.task.place import Place

MADE_BY = "made-by"
"""Name of the metadata that say which resource has made an object."""


@dataclass(frozen=True)
class Assignment:
    """A run of any kind.

    Attributes:
        name: of the resource.
        namespace: of the resource.
        destination: a prefix, or the exact key of the one output's target.
        encoder: what decides the output.
        digest: hexadecimal SHA-256 of the document: the same for all attempts at this run.
    """

    name: str
    namespace: str
    destination: Place
    encoder: Parameters
    digest: str

    @property
    def mark(self) -> dict[str, str]:
        """Metadata of what this resource makes."""
        return {MADE_BY: f"{self.namespace}/{self.name}"}

    @property
    def hidden_folder(self) -> str:
        """Where all runs of this resource keep what is not published yet."""
        return hidden_folder(self.manifest_key, self.mark[MADE_BY])

    def target_key(self, output: PurePosixPath) -> str:
        """Where the output goes that is called so: the key of its bundle, or of its meta.json."""
        destination = self.destination.location
        return (
            f"{destination.key}{name_target(output, self.encoder.format)}" if destination.is_prefix else destination.key
        )

    def preview_key(self, output: PurePosixPath) -> str:
        """Where its picture goes: beside the bundle, or beside the folder."""
        return stem_of(self.target_key(output)) + ".png"

    @property
    def manifest_key(self) -> str:
        """Where the manifest goes: named after the resource, or after the output's exact key."""
        return f"{self._stem}.manifest.json"

    @property
    def sheet_key(self) -> str:
        """Where the contact sheet goes: beside the manifest."""
        return f"{self._stem}.contact-sheet.png"

    @property
    def _stem(self) -> str:
        destination = self.destination.location
        return f"{destination.key}{self.name}" if destination.is_prefix else stem_of(destination.key)
