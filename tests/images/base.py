"""The two base images: Debian with Python, and the same with Debian's torch for the CPU on top.

One release for both; with its torch the worker's everyday image needs 1 GB instead of 7. Images are named by what they
are made of: a changed recipe is a new image. To renew Debian's packages, delete the cache's ``images`` folder.
"""

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from images import machine
from images.buildah import Buildah
from images.errors import ImageError

_RELEASE = "trixie"  # Python 3.13; the first release with torch 2.6
_PACKAGES = ("ca-certificates", "python3", "python3-venv")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_TORCH_DOCKERFILE = Path(__file__).with_name("Dockerfile.torch")
# Of no use to a container: package lists and archives, documentation, languages, and what debootstrap copied or logged.
_LEFTOVERS = (
    "etc/apt/sources.list",
    "etc/hostname",
    "etc/resolv.conf",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/cache/debconf",
    "var/cache/ldconfig",
    "var/lib/apt/lists",
    "var/log",
)


def build_key() -> str:
    """Hash of the recipe, 12 hexadecimal digits."""
    sources = (Path(__file__), _TORCH_DOCKERFILE)
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def ensure_python(buildah: Buildah) -> str:
    """Build Debian with Python unless the store has it; its name."""
    reference = f"localhost/splat-base:{build_key()}"
    if not buildah.has(reference):
        buildah.run("rmi", "--all", "--force")  # each was made on another base and is of no use any more
        with tempfile.TemporaryDirectory(dir=buildah.folder) as folder:
            _bootstrap(Path(folder), log=buildah.log)
            _commit(buildah, Path(folder), reference)
    return reference


def ensure_torch(buildah: Buildah) -> str:
    """Build the base with torch unless the store has it; its name."""
    reference = f"localhost/splat-base-torch:{build_key()}"
    if not buildah.has(reference):
        python = ensure_python(buildah)
        with tempfile.TemporaryDirectory(dir=buildah.folder) as folder:
            sources = Path(folder, "sources.list")
            sources.write_text(f"deb [signed-by={_KEYRING}] {machine.find_debian_mirror()} {_RELEASE} main\n")
            buildah.build(
                reference,
                dockerfile=_TORCH_DOCKERFILE,
                context=Path(folder),
                build_args={"BASE_IMAGE": python},
                mounts={machine.CA_BUNDLE: str(machine.CA_BUNDLE), sources: "/etc/apt/sources.list"},
            )
    return reference


def _bootstrap(root: Path, *, log: Path) -> None:
    """Install a minimal Debian into a folder; every package is verified against the archive's keyring."""
    if not _KEYRING.exists():
        raise ImageError(f"{_KEYRING} is missing: apt-get install debian-archive-keyring")
    command = [
        "debootstrap",
        "--variant=minbase",
        "--force-check-gpg",
        f"--keyring={_KEYRING}",
        f"--include={','.join(_PACKAGES)}",
        _RELEASE,
        str(root),
        machine.find_debian_mirror(),
    ]
    with log.open("a") as words:
        if subprocess.run(command, stdout=words, stderr=words, check=False).returncode:
            raise ImageError(f"debootstrap of {_RELEASE} failed: see {log}")
    for leftover in _LEFTOVERS:
        path = root / leftover
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    # apt and dpkg want their folders; the empty file is where a build mounts its sources.
    for folder in ("var/cache/apt/archives/partial", "var/cache/debconf", "var/lib/apt/lists/partial", "var/log/apt"):
        (root / folder).mkdir(parents=True)
    (root / "etc/apt/sources.list").touch()
    (root / "etc/dpkg/dpkg.cfg.d/no-docs").write_text(
        "".join(f"path-exclude=/usr/share/{name}/*\n" for name in ("doc", "info", "locale", "man"))
    )


def _commit(buildah: Buildah, root: Path, reference: str) -> None:
    container = buildah.run("from", "scratch")
    try:
        buildah.run("copy", "--quiet", container, str(root), "/")
        buildah.run("config", "--cmd=python3", "--env=LANG=C.UTF-8", container)
        buildah.run("commit", "--quiet", container, reference)
    finally:
        buildah.run("rm", container)
