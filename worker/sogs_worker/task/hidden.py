"""Where a resource keeps what nobody is to see: beside its manifest, in folders that begin with a dot."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from sogs_worker.storage.base import HIDDEN, Store

MANIFEST_SUFFIX = ".manifest.json"


def hidden_home(manifest_key: str) -> str:
    """Name the folder for all hidden objects that belong to a manifest, whatever run or resource they are of."""
    manifest = PurePosixPath(manifest_key)
    return f"{manifest.parent / HIDDEN / manifest.name.removesuffix(MANIFEST_SUFFIX)}/".removeprefix("./")


def hidden_folder(manifest_key: str, owner: str) -> str:
    """Name the folder for what a resource has not published yet: the same for all its runs and their attempts."""
    return f"{hidden_home(manifest_key)}{hashlib.sha256(owner.encode()).hexdigest()[:16]}/"


def delete_below(store: Store, folder: str, *, keep: str | None = None) -> None:
    """Remove all objects below a folder but the one of the key `keep`, and what interrupted uploads have left there."""
    store.abort_uploads(folder)
    store.delete_many([entry.key for entry in store.list(folder) if entry.key != keep])
