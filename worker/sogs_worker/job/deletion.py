"""Removing what a resource has published: only what is shown to be its own, and the manifest last.

So an attempt that is killed is repeated from the start, and finds less to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sogs_worker.errors import BadInputError
from sogs_worker.naming import BUNDLED, beside, is_target, stem_of
from sogs_worker.publish.attempts import CLAIM, RECORD
from sogs_worker.publish.manifest import Deleted, Output
from sogs_worker.publish.records import read_json
from sogs_worker.publish.staged import digest_document, look_up, note_of
from sogs_worker.reporting.log import write_message
from sogs_worker.reporting.progress import Progress
from sogs_worker.storage.base import Store, StoredObject
from sogs_worker.storage.location import is_plain
from sogs_worker.task.assignment import MADE_BY, Assignment
from sogs_worker.task.hidden import delete_below, hidden_home
from sogs_worker.task.shard import is_part

UNBUNDLED = "sog-unbundled"
"""One of the formats whose target is a meta.json."""


@dataclass(frozen=True)
class Claim:
    """What a document says of an output.

    Attributes:
        output: as it was to be published.
        note: hexadecimal digest of what may stand in its target's place, if its publication was broken off; else None.
    """

    output: Output
    note: str | None = None


class Deleting:
    """Removes what one resource has published; for one call of `run`."""

    def __init__(self, assignment: Assignment, store: Store, scratch: Path, progress: Progress) -> None:
        """Begin.

        Args:
            assignment: the resource and its destination.
            store: the destination.
            scratch: a folder for small files.
            progress: told of the outputs.
        """
        self._assignment = assignment
        self._store = store
        self._scratch = scratch
        self._progress = progress
        self._deleted = 0
        self._kept = 0

    def run(self) -> Deleted:
        """Remove outputs, contact sheet, what is hidden, and the manifest.

        Raises:
            BadInputError: the manifest is not one.
            WorkerError: the store's; what is removed then stays so.
        """
        manifest_key = self._assignment.manifest_key
        manifest = look_up(self._store, manifest_key)
        if manifest and not self._is_ours(manifest):
            return self._leave(manifest)
        self._remove_outputs()
        sheet = look_up(self._store, self._assignment.sheet_key)
        if sheet and self._is_ours(sheet):
            self._delete(self._assignment.sheet_key)
        delete_below(self._store, hidden_home(manifest_key))
        self._store.abort_uploads(manifest_key)  # which a check for permission may have begun
        if manifest:
            self._delete(manifest_key)
        return Deleted(self._deleted, self._kept)

    def _leave(self, manifest: StoredObject) -> Deleted:
        """Say whose the manifest is, and remove nothing: what this resource had published is replaced."""
        maker = manifest.metadata.get(MADE_BY)
        uri = self._store.uri(self._assignment.manifest_key)
        write_message(
            f"{uri} was made by {maker or 'an older version'}, not by {self._assignment.mark[MADE_BY]}; nothing is"
            " removed: delete by hand what nobody needs",
            "warning",
        )
        try:
            document = read_json(self._store, self._assignment.manifest_key, scratch=self._scratch)
        except ValueError:
            document = None
        outputs = document.get("outputs") if isinstance(document, Mapping) else None
        return Deleted(0, len(outputs) if isinstance(outputs, Sequence) else 0)

    def _remove_outputs(self) -> None:
        claims = self._claims()
        for place, (uri, named) in enumerate(claims.items()):
            self._progress.report("write", place / len(claims))
            self._remove_output(self._key_of(uri), named)

    def _claims(self) -> dict[str, list[Claim]]:
        """Collect what the manifest says, and what runs that did not come to write it have recorded, by address."""
        claims: dict[str, list[Claim]] = defaultdict(list)
        home = hidden_home(self._assignment.manifest_key)
        hidden = [entry.key for entry in self._store.list(home) if names_outputs(entry.key)]
        for key in (self._assignment.manifest_key, *hidden):
            for claim in self._read(key):
                claims[claim.output.uri].append(claim)
        return claims

    def _read(self, key: str) -> list[Claim]:
        """Read a manifest, a record of one or a part of one; nothing if it is not there."""
        folder, _, name = key.rpartition("/")
        note = digest_document(note_of(f"{folder}/")) if name == CLAIM else None
        try:
            document = read_json(self._store, key, scratch=self._scratch)
            if document and note:
                document = document[RECORD] and document[RECORD]["manifest"]
            return [Claim(output, note) for output in parse_outputs(document)] if document else []
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BadInputError(
                f"{self._store.uri(key)} does not say what was published ({error!r}); delete it and the outputs by hand"
            ) from error

    def _key_of(self, uri: str) -> str | None:
        """Return the key of a target's address; None where this resource cannot have published."""
        destination = self._assignment.destination.location
        if not uri.startswith(destination.uri):
            return None
        rest = uri.removeprefix(destination.uri)
        if not destination.is_prefix:
            return None if rest else destination.key
        # A key's "..", harmless in a bucket, would lead out of the folder of a volume.
        is_possible = is_plain(rest) and any(is_target(rest, kind) for kind in (BUNDLED, UNBUNDLED))
        return destination.key + rest if is_possible else None

    def _remove_output(self, key: str | None, claims: Sequence[Claim]) -> None:
        """Remove a target, then what lies beside it; what a killed attempt has left of it too."""
        if key is None:
            self._kept += 1
            return
        target = look_up(self._store, key)
        if target and not (self._is_ours(target) and is_claimed(target, claims)):
            self._kept += 1
            return
        if target:
            self._delete(key)
        planes = {(file.name, file.sha256) for claim in claims for file in claim.output.files}
        for name, sha256 in sorted(planes):
            plane = look_up(self._store, beside(key, name)) if "/" not in name else None
            if plane and plane.sha256 == sha256:
                self._delete(beside(key, name))
        picture = stem_of(key) + ".png"
        is_named = any(claim.output.preview_uri == self._store.uri(picture) for claim in claims)
        if is_named and look_up(self._store, picture):
            self._delete(picture)

    def _is_ours(self, there: StoredObject) -> bool:
        return there.metadata.get(MADE_BY) == self._assignment.mark[MADE_BY]

    def _delete(self, key: str) -> None:
        self._store.delete(key)
        self._deleted += 1


def parse_outputs(document: Mapping[str, Any]) -> list[Output]:
    """Read the outputs of a manifest.

    Raises:
        LookupError, TypeError: it is none.
    """
    return [Output.from_entry(entry) for entry in document["outputs"]]


def names_outputs(key: str) -> bool:
    """Say whether a hidden object may record what is being published, or a part of a manifest."""
    name = PurePosixPath(key).name
    return name == CLAIM or is_part(name)


def is_claimed(target: StoredObject, claims: Sequence[Claim]) -> bool:
    """Say whether a target is one of those that were published at its place."""
    return any(target.sha256 in (claim.output.sha256, claim.note) for claim in claims if target.sha256)
