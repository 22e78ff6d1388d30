"""Outputs as hidden objects of the destination, which get their names when all of a run are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from sogs_worker.errors import UsageError
from sogs_worker.naming import MEDIA_TYPES, PICTURE_TYPE, beside
from sogs_worker.publish.manifest import Output, OutputFile
from sogs_worker.publish.provenance import Provenance, kept_output
from sogs_worker.publish.publication import Publication, hidden_name
from sogs_worker.publish.staged import Staged, look_up
from sogs_worker.scenes.destination import Made, describe_output
from sogs_worker.scenes.make import Product
from sogs_worker.storage.base import ConflictError, Moved
from sogs_worker.task.place import is_same_place
from sogs_worker.task.task import Task


class Staging:
    """The destination of a task; see `Destination`."""

    knows_content = True

    def __init__(self, task: Task, publication: Publication) -> None:
        self._task = task
        self._publication = publication
        self._store = publication.store
        self._claimed = 0

    def claim(self, names: Sequence[PurePosixPath]) -> None:
        """Refuse what the store cannot hold, and what the next run would find in its source.

        The outputs of archives are checked with the rest at the commit.
        """
        location, source = self._task.destination.location, self._task.source
        self._claimed += len(names)
        if self._claimed > 1 and not location.is_prefix:
            raise UsageError(f"spec.destination.uri is {location.uri!r}, one key for many scenes; end it with a slash")
        keys = [self._task.target_key(name) for name in names]
        if source.location.is_prefix and is_same_place(source, self._task.destination):
            for key in keys:
                if key.startswith(source.location.key):
                    raise UsageError(
                        f"{self._store.uri(key)} would lie in the source's prefix, where the next run would take it for"
                        " a scene; choose another spec.destination.uri or spec.destination.names"
                    )
        self._store.check_keys(keys)

    def begin(self, name: PurePosixPath) -> str:
        """Say where the output's target is to be."""
        return self._store.uri(self._task.target_key(name))

    def find(self, name: PurePosixPath, provenance: Provenance) -> Made | None:
        """Return the output of that name, published or of an earlier attempt, if it was made from the same."""
        found = self._look(name, provenance) if self._task.use_cache else None
        return found or self._take_over(name, provenance)

    def adopt(self, made: Made) -> Output:
        """Return what another run has published meanwhile in place of an output.

        Raises:
            ConflictError: it was made from something else.
        """
        found = self._look(made.name, made.provenance)
        if found is None:
            raise ConflictError(
                f"{made.output.uri} was written by another run meanwhile, from something else; it stays, and nothing of"
                " this run was published: let only one resource write there"
            )
        return found.output

    def deliver(self, name: PurePosixPath, product: Product, provenance: Provenance, moved: Moved) -> Made:
        """Upload the files of an output and its picture under hidden names."""
        task, key = self._task, self._task.target_key(name)

        def stage(file: Path, metadata: Mapping[str, str] | None = None) -> Staged:
            place = key if file == product.target else beside(key, file.name)
            kind = MEDIA_TYPES[file.suffix]
            return self._publication.stage(file, place, content_type=kind, metadata=metadata, progress=moved)

        staged = [stage(plane) for plane in product.planes]
        planes = [describe(plane, each) for plane, each in zip(product.planes, staged, strict=True)]
        known = provenance.metadata(
            splats=product.splats,
            removed=product.dropped.counts,
            source_bytes=product.source_bytes,
            psnr=product.psnr,
            planes=planes,
        )
        picture_key = task.preview_key(name)
        if product.picture:
            staged.append(self._publication.stage(product.picture, picture_key, content_type=PICTURE_TYPE))
        # Last: where it is, all that belongs to it is too, so that a later attempt can take it over.
        staged.append(stage(product.target, {**known, **task.mark}))
        target = describe(product.target, staged[-1])
        picture_uri = self._store.uri(picture_key) if product.picture else None
        output = describe_output(product, name, self.begin(name), (*planes, target), picture_uri)
        return Made(output, name, provenance, tuple(staged))

    def _take_over(self, name: PurePosixPath, provenance: Provenance) -> Made | None:
        """Take over what an earlier attempt has uploaded of an output, if it is what would be made."""
        task, store, key = self._task, self._store, self._task.target_key(name)
        picture = task.preview_key(name) if task.preview else None
        for folder in self._publication.earlier(key):
            where = hiding(folder)
            output = kept_output(store, key, provenance, task.gate, name=str(name), where=where)
            if output is None or (picture and look_up(store, where(picture)) is None):
                continue
            planes = [beside(key, file.name) for file in output.files[:-1]]
            staged = self._publication.adopt(folder, [*planes, *([picture] if picture else []), key])
            if staged is not None:
                output = replace(output, is_cached=False, preview_uri=picture and store.uri(picture))
                return Made(output, name, provenance, tuple(staged))
        return None

    def _look(self, name: PurePosixPath, provenance: Provenance) -> Made | None:
        task, store = self._task, self._store
        picture = task.preview_key(name) if task.preview else None
        if picture and look_up(store, picture) is None:
            return None
        output = kept_output(store, task.target_key(name), provenance, task.gate, name=str(name))
        if output is None:
            return None
        return Made(replace(output, preview_uri=picture and store.uri(picture)), name, provenance)


def hiding(folder: str) -> Callable[[str], str]:
    """Give the hidden key, in an attempt's folder, of what is to get a key."""
    return lambda key: folder + hidden_name(key)


def describe(file: Path, staged: Staged) -> OutputFile:
    """Describe a file that was uploaded."""
    return OutputFile(file.name, staged.sha256, file.stat().st_size)
