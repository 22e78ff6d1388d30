"""Where a resource keeps what nobody is to see: beside its manifest, in folders that begin with a dot."""

from __future__ import annotations

from pathlib import PurePosixPath

from sogs_worker.storage.base import HIDDEN, Store

MANIFEST_SUFFIX = ".manifest.json"


def hidden_home(manifest_key: str) -> str:
    """Name the folder for all hidden objects of a resource, whatever run they are of."""
    manifest = PurePosixPath(manifest_key)
    return f"{manifest.parent / HIDDEN / manifest.name.removesuffix(MANIFEST_SUFFIX)}/".removeprefix("./")


def hidden_folder(manifest_key: str, task_digest: str) -> str:
    """Name the folder for what a task has not published yet: the same for all attempts."""
    return f"{hidden_home(manifest_key)}{task_digest[:16]}/"


def delete_below(store: Store, folder: str) -> None:
    """Remove all objects below a folder and what interrupted uploads have left there."""
    store.abort_uploads(folder)
    store.delete_many([entry.key for entry in store.list(folder)])
