"""Whatever an archive holds: it is unpacked into the folder or refused, and nothing else of the disk changes."""

from __future__ import annotations

import io
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from archive_builders import build_meta, tar, tar_file
from sogs_worker.errors import WorkerError
from sogs_worker.source.archives import open_archive

PARTS = [
    "\xa0.ply",
    "..",
    ".",
    "",
    "a",
    "b",
    "evil.ply",
    "meta.json",
    "sh0.webp",
    "..\\..",
    "C:",
    "~",
    "evil.ply/",
    "\x00",
    "é",
]
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map("/".join)
CONTENTS = st.sampled_from([b"", b"evil", build_meta(), build_meta().replace(b"sh0.webp", b"../../evil.ply")])
KINDS = st.sampled_from([b"0", b"0", b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"x", b"S", b"\x00", b"Z"])


@contextmanager
def undisturbed() -> Iterator[Path]:
    """Give a folder below three others, and check that nothing appears or changes beside it."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = root / "1" / "2" / "out"
        folder.mkdir(parents=True)
        for outer in (root, root / "1", root / "1" / "2"):
            (outer / "evil.ply").write_bytes(b"good")
        yield folder
        assert not [path for path in folder.iterdir() if path.is_symlink() or not path.is_file()]
        others = sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_relative_to(folder))
        assert others == ["1", "1/2", "1/2/archive", "1/2/evil.ply", "1/evil.ply", "evil.ply"]
        for outer in (root, root / "1", root / "1" / "2"):
            assert (outer / "evil.ply").read_bytes() == b"good"


def unpack_all(path: Path, folder: Path) -> WorkerError | None:
    """Unpack scene after scene, up to the first that cannot be; return what was wrong with it."""
    try:
        with open_archive(path) as archive:
            for member in archive.scenes:
                assert archive.extract(member, folder).parent == folder
                for each in folder.iterdir():
                    each.unlink()
    except WorkerError as error:
        return error
    return None


def unpack(data: bytes, suffix: str) -> None:
    """Unpack an archive where it could do harm."""
    with undisturbed() as folder:
        named = folder.parent / f"a{suffix}"
        named.write_bytes(data)
        if error := unpack_all(named, folder):
            assert error.exit_code == 65
            assert str(error).startswith(f"{named}: ")
            assert str(error).isprintable()
        assert list(folder.iterdir()) == []
        named.rename(folder.parent / "archive")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, CONTENTS, KINDS, NAMES), max_size=4), st.booleans())
def test_tar(files: list[tuple[str, bytes, bytes, str]], gzipped: bool) -> None:
    parts = [
        tar_file(name, data, type=kind, linkname=target, tar_format=tarfile.GNU_FORMAT)
        for name, data, kind, target in files
    ]
    unpack(tar(*parts, gzipped=gzipped), ".tar")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(NAMES, CONTENTS, st.sampled_from([0, 0o120777, 0o020644, 0o100644])), max_size=4))
def test_zip(files: list[tuple[str, bytes, int]]) -> None:
    memory = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(memory, "w") as archive:
        warnings.simplefilter("ignore")
        for name, data, mode in files:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, data)
    unpack(memory.getvalue(), ".zip")


PLAIN = {
    ".tar": tar(tar_file("a/evil.ply", b"evil" * 200), tar_file("meta.json", build_meta())),
    ".tgz": tar(tar_file("a/evil.ply", b"evil" * 200), tar_file("meta.json", build_meta()), gzipped=True),
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(PLAIN)), st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=6))
def test_changed_bytes(suffix: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(PLAIN[suffix])
    for position, value in changes:
        data[position % len(data)] = value
    unpack(bytes(data), suffix)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=6), st.booleans())
@example([(817, 255)], False)  # a name with a no-break space, which is no control character
def test_changed_bytes_of_a_zip(changes: list[tuple[int, int]], deflated: bool) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("a/evil.ply"), b"evil" * 20)
        archive.writestr(zipfile.ZipInfo("meta.json"), build_meta())
    data = bytearray(memory.getvalue())
    for position, value in changes:
        data[position % len(data)] = value
    unpack(bytes(data), ".zip")
