"""Bundles are plain ZIP archives; damaged ones and missing files are named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sogs_worker.errors import BadInputError
from sogs_worker.formats.sog import bundle
from sogs_worker.formats.sog.bundle import FolderFiles, ZipFiles, write_bundle

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_.0123456789", min_size=1, max_size=20)


def pack(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    write_bundle(buffer, files)
    return buffer.getvalue()


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=8))
def test_files_come_back(files: dict[str, bytes]) -> None:
    data = pack(files)
    archive = ZipFiles(io.BytesIO(data))
    assert {name: archive.read(name) for name in files} == files
    assert {name: archive.size_bytes(name) for name in files} == {name: len(each) for name, each in files.items()}
    assert pack(files) == data


def test_the_archive_is_stored_dated_alike_and_ends_in_its_end_record() -> None:
    data = pack({"meta.json": b"{}" * 500, "a.webp": b"x" * 999})
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == ["meta.json", "a.webp"]
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert data[-22:-18] == b"PK\x05\x06"


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 10)
    with pytest.raises(BadInputError, match="would be 11 bytes, but 10 is the limit"):
        pack({"a": b"x" * 11})


def test_a_file_that_declares_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_FILE_BYTES", 10)
    with pytest.raises(BadInputError, match=r"a\.webp declares 11 bytes"):
        ZipFiles(io.BytesIO(pack({"a.webp": b"x" * 11}))).read("a.webp")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no b\.webp"):
        ZipFiles(io.BytesIO(pack({"a.webp": b""}))).read("b.webp")
    with pytest.raises(BadInputError, match=r"no b\.webp"):
        FolderFiles(tmp_path).read("b.webp")


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(pack({"a.webp": b"x" * 100}))
    data[60] ^= 1
    with pytest.raises(BadInputError, match=r"a\.webp in the bundle is damaged"):
        ZipFiles(io.BytesIO(bytes(data))).read("a.webp")


@pytest.mark.parametrize("length", [0, 1, 21, 50, 120])
def test_a_truncated_archive_is_refused(length: int) -> None:
    with pytest.raises(BadInputError, match="not a ZIP archive"):
        ZipFiles(io.BytesIO(pack({"a.webp": b"x" * 100})[:length]))


def test_deflated_archives_are_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.webp", b"x" * 1000)
    assert ZipFiles(buffer).read("a.webp") == b"x" * 1000
