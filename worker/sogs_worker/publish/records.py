"""Small JSON documents as objects of a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sogs_worker.errors import SourceMissingError
from sogs_worker.storage.base import Condition, Receipt, Store
from sogs_worker.storage.transfer.integrity import digest_file

JSON_TYPE = "application/json"


def encode_json(document: Mapping[str, Any]) -> bytes:
    """Write JSON for people too."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def upload_json(
    store: Store,
    document: Mapping[str, Any],
    key: str,
    *,
    scratch: Path,
    metadata: Mapping[str, str],
    condition: Condition | None = None,
) -> Receipt:
    """Publish a document at `key`; see `Store.upload`."""
    path = scratch / "document.json"
    path.write_bytes(encode_json(document))
    return store.upload(
        path, key, sha256=digest_file(path), content_type=JSON_TYPE, metadata=metadata, condition=condition
    )


def read_json(store: Store, key: str, *, scratch: Path) -> Any:
    """Read the document at `key`; None where there is none.

    Raises:
        ValueError: it is not JSON.
    """
    copy = scratch / "read.json"
    try:
        store.download(key, copy)
        return json.loads(copy.read_bytes())
    except SourceMissingError:
        return None
    finally:
        copy.unlink(missing_ok=True)
