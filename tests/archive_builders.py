"""Archives for tests: well made, badly made and hostile."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

Files = Mapping[str, bytes]

KINDS = ("zip", "tar", "tar.gz", "tgz")

PLANES = ("means_l.webp", "means_u.webp", "scales.webp", "quats.webp", "sh0.webp")


def build_meta() -> bytes:
    """Return a meta.json that names all `PLANES`, and nothing else of a scene."""
    means, others = PLANES[:2], zip(("scales", "quats", "sh0"), PLANES[2:], strict=True)
    return json.dumps({"means": {"files": means}} | {key: {"files": [name]} for key, name in others}).encode()


def pack(folder: Path, kind: str, files: Files, *, name: str = "scenes") -> Path:
    """Pack files into `folder`/`name`.`kind`."""
    path = folder / f"{name}.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, data in files.items():
                archive.writestr(file, data)
    else:
        path.write_bytes(tar(*(tar_file(file, data) for file, data in files.items()), gzipped=kind != "tar"))
    return path


def tar_file(name: str, data: bytes = b"", *, tar_format: int = tarfile.PAX_FORMAT, **fields: object) -> bytes:
    """Return one file's part of a tar archive; `fields` are those of its header."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    for field, value in fields.items():
        setattr(header, field, value)
    return header.tobuf(tar_format, "utf-8", "surrogateescape") + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def tar(*parts: bytes, gzipped: bool = False) -> bytes:
    """Join parts to a tar archive."""
    data = b"".join(parts) + bytes(2 * tarfile.BLOCKSIZE)
    return gzip.compress(data, 6, mtime=0) if gzipped else data


def zip_bytes(files: Files, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a ZIP archive."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return memory.getvalue()
