"""The transfers of a run of many scenes and nothing else: `python -m benchmarks.pipeline_transfer BUCKET FOLDER`.

Fetches each scene and sends its bundle, one after the other, by the worker's store and with the digests it needs.
The server and the keys are those of the SDK's environment (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID...).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.transfer_ways import open_our_store
from sogs_worker.storage.s3.store import S3Store
from sogs_worker.storage.transfer.integrity import digest_file

PREFIX = "benchmark-of-pipeline/"
SOURCES = "in/"
OUTPUTS = "out/"
ALONE = "transfer-alone/"


def send(store: S3Store, path: Path, key: str) -> None:
    """Upload a file."""
    store.upload(path, key, sha256=digest_file(path), content_type="application/octet-stream")


def fetch(store: S3Store, key: str, path: Path) -> None:
    """Download an object, and read what its digest is."""
    store.download(key, path)
    digest_file(path)


def main() -> int:
    """Move all scenes of FOLDER's `in`, as they are in the bucket, and all bundles of its `out`."""
    bucket, folder = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copy = Path(scratch) / "copy"
        store = open_our_store(bucket, copy)
        for scene in sorted((folder / SOURCES).iterdir()):
            fetch(store, f"{PREFIX}{SOURCES}{scene.name}", copy)
            copy.unlink()
            bundle = folder / OUTPUTS / f"{scene.stem}.sog"
            send(store, bundle, f"{PREFIX}{ALONE}{bundle.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
