"""The contact sheet of a run: the previews of all its outputs as one picture, beside the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sogs_worker.errors import BadInputError
from sogs_worker.naming import PICTURE_TYPE
from sogs_worker.publish.manifest import Output
from sogs_worker.publish.provenance import CONTENT
from sogs_worker.publish.publication import Publication
from sogs_worker.publish.staged import Staged, look_up
from sogs_worker.storage.base import Condition, ConflictError, Store, StoredObject
from sogs_worker.storage.transfer.integrity import upload_verified
from sogs_worker.task.task import Task


def stage_sheet(
    task: Task, outputs: Sequence[Output], staged: Sequence[Staged], *, publication: Publication, scratch: Path
) -> list[Staged]:
    """Draw the contact sheet and upload it under a hidden name, unless it is there already.

    Args:
        task: says where it goes.
        outputs: all of the run, with previews.
        staged: those of them that still have hidden names.
        publication: of the run.
        scratch: a folder for pictures.

    Raises:
        WorkerError: a preview cannot be read, or the sheet not be written.
    """
    if is_sheet_of(look_up(publication.store, task.sheet_key), outputs):
        return []
    hidden = {each.key: each.hidden_key for each in staged}
    path = draw_sheet(task, outputs, hidden, store=publication.store, scratch=scratch)
    metadata = sheet_metadata(task, outputs)
    sheet = publication.stage(path, task.sheet_key, content_type=PICTURE_TYPE, metadata=metadata)
    path.unlink()
    return [sheet]


def publish_sheet(task: Task, outputs: Sequence[Output], *, store: Store, scratch: Path, condition: Condition) -> None:
    """Draw the contact sheet of outputs that are published, and replace the one that is there if it is another.

    Raises:
        ConflictError: the condition on what is there does not hold, and it is another.
        WorkerError: a preview cannot be read, or the sheet not be written.
    """
    if is_sheet_of(look_up(store, task.sheet_key), outputs):
        return
    path = draw_sheet(task, outputs, {}, store=store, scratch=scratch)
    metadata = sheet_metadata(task, outputs)
    try:
        upload_verified(
            store,
            path,
            task.sheet_key,
            scratch=scratch,
            content_type=PICTURE_TYPE,
            metadata=metadata,
            condition=condition,
        )
    except ConflictError:
        if not is_sheet_of(look_up(store, task.sheet_key), outputs):
            raise
    path.unlink()


def draw_sheet(
    task: Task, outputs: Sequence[Output], hidden: Mapping[str, str], *, store: Store, scratch: Path
) -> Path:
    """Draw previews, those in `hidden` from where they are for now, and return the picture's file."""
    from sogs_worker.render.sheet import PictureError, contact_sheet

    keys = [task.preview_key(output.path) for output in outputs]
    pictures = fetch_pictures(store, [hidden.get(key, key) for key in keys], scratch)
    path = scratch / "sheet.png"
    try:
        path.write_bytes(contact_sheet(zip([output.name for output in outputs], pictures, strict=False), len(outputs)))
    except PictureError as error:  # someone has written over a preview
        raise BadInputError(
            f"a preview beside {store.uri(task.sheet_key)} is no PNG file ({error}); delete the previews"
        ) from error
    return path


def sheet_metadata(task: Task, outputs: Sequence[Output]) -> dict[str, str]:
    """Write down whose a sheet is and what it shows."""
    return {CONTENT: digest_outputs(outputs), **task.mark}


def is_sheet_of(there: StoredObject | None, outputs: Sequence[Output]) -> bool:
    """Say whether what is there is a sheet of these outputs."""
    return there is not None and there.metadata.get(CONTENT) == digest_outputs(outputs)


def digest_outputs(outputs: Sequence[Output]) -> str:
    """Return a hexadecimal SHA-256 of what a sheet shows: the names and contents of outputs."""
    lines = [" ".join([output.sha256, *(file.sha256 for file in output.files), output.name]) for output in outputs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def fetch_pictures(store: Store, keys: Sequence[str], scratch: Path) -> Iterator[bytes]:
    """Yield pictures, each fetched when it is asked for."""
    copy = scratch / "preview.png"
    for key in keys:
        store.download(key, copy)
        yield copy.read_bytes()
        copy.unlink()
