"""An image of one static program, written as an OCI archive (OCI image format specification 1.1)."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

_LAYOUT = json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
_PREFIX = "application/vnd.oci.image"


def write_program_image(archive: Path, *, name: str, program: Path, user: str = "65532:65532") -> None:
    """Write an image with nothing but `program`, at its root and as its entry point.

    Args:
        archive: The tar file to write.
        name: The image's full name with tag, such as `localhost/pause:1`.
        program: A statically linked executable.
        user: Whom it runs as, unless the pod says otherwise.
    """
    layer = _tar({program.name: program.read_bytes()}, mode=0o755)
    settings = {"Entrypoint": [f"/{program.name}"], "User": user, "WorkingDir": "/"}
    contents = {"type": "layers", "diff_ids": [_digest(layer)]}
    config = _json({"architecture": "amd64", "os": "linux", "config": settings, "rootfs": contents})
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_PREFIX}.manifest.v1+json",
            "config": _descriptor("config.v1+json", config),
            "layers": [_descriptor("layer.v1.tar", layer)],
        }
    )
    entry = {**_descriptor("manifest.v1+json", manifest), "annotations": {"io.containerd.image.name": name}}
    blobs = {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}": blob for blob in (layer, config, manifest)}
    archive.write_bytes(
        _tar({"oci-layout": _LAYOUT, "index.json": _json({"schemaVersion": 2, "manifests": [entry]}), **blobs})
    )


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{_PREFIX}.{kind}", "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _tar(files: dict[str, bytes], *, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
