"""The cluster's programs in one file, for machines that can neither build nor fetch them."""

import lzma
import shutil
import tarfile
import zlib
from pathlib import Path

from cluster import go_groups, python_tools
from cluster.cache import Cache, key_of, link_into
from cluster.errors import ClusterError

_PINS = "pins"


def pack(cache: Cache, archive: Path, *, real_gpus: bool) -> None:
    """Write the programs that `cache.bin` links to, uncompressed; they must be built."""
    with tarfile.open(archive, "w") as tar:
        for name in _programs(real_gpus=real_gpus):
            tar.add((cache.bin / name).resolve(), arcname=name)
        for link, target in go_groups.links().items():
            member = tarfile.TarInfo(link)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
        tar.addfile(tarfile.TarInfo(f"{_PINS}-{pins()}"))


def unpack(cache: Cache, archive: Path) -> None:
    """Put the programs of an archive, compressed or not, where `use_packed` finds them.

    Raises:
        ClusterError: it is none, or not of this checkout's versions.
    """
    folder = _folder(cache)
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(draft, filter="data")
        if not (draft / f"{_PINS}-{pins()}").exists():
            raise ClusterError(f"{archive} has other versions than this checkout: pack it anew (cluster pack).")
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise ClusterError(f"{archive} cannot be unpacked: {error}; copy it again.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def use_packed(cache: Cache, *, real_gpus: bool) -> bool:
    """Link unpacked programs of this checkout's versions into `cache.bin`; False where there are none."""
    folder, names = _folder(cache), [*_programs(real_gpus=real_gpus), *go_groups.links()]
    if not all((folder / name).exists() for name in names):
        return False
    link_into(cache.bin, {name: folder / name for name in names})
    return True


def pins() -> str:
    """Names the versions of all programs. The compiler's is not among them: the machine need not have one."""
    return key_of(*(group.key("") for group in go_groups.groups(real_gpus=True)), python_tools.pins())


def _programs(*, real_gpus: bool) -> list[str]:
    built = [name for group in go_groups.groups(real_gpus=real_gpus) for name in group.binaries]
    return [*built, *python_tools.PROGRAMS]


def _folder(cache: Cache) -> Path:
    return cache.root / "packed" / pins()
