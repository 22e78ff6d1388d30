"""buildah with its storage in the cache folder and settings that work in a container, too."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from images.errors import ImageError

# A container without systemd or CAP_SYS_RESOURCE: no cgroup of its own, and no limit above the machine's.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


@dataclass(frozen=True)
class Buildah:
    """One image store.

    Attributes:
        folder: where images, layers and mounts live; deleted as a whole, all is built again.
    """

    folder: Path

    def run(self, *arguments: str) -> str:
        """Run one buildah command; its standard output without the last newline.

        Everything it says is appended to ``log`` beside the store.

        Raises:
            ImageError: exit status other than 0; the message ends with buildah's last lines.
        """
        command = ["buildah", f"--root={self.folder / 'storage'}", f"--runroot={self.folder / 'run'}"]
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.log.open("a+") as log:
            log.write(f"+ buildah {' '.join(arguments)}\n")
            log.flush()
            done = subprocess.run(
                [*command, "--storage-driver=overlay", *arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._environment(),
                check=False,
            )
            log.write(done.stdout)
        if done.returncode:
            raise ImageError(f"buildah {arguments[0]} failed, see {self.log}; its last words:\n{self._last_words()}")
        return done.stdout.rstrip("\n")

    @property
    def log(self) -> Path:
        """What buildah and the steps of the Dockerfiles printed."""
        return self.folder / "log"

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def has(self, reference: str) -> bool:
        """Whether the store has the image."""
        return reference in self.run("images", "--format={{.Name}}:{{.Tag}}").splitlines()

    def build(
        self,
        reference: str,
        *,
        dockerfile: Path,
        context: Path,
        build_args: dict[str, str],
        mounts: dict[Path, str],
    ) -> None:
        """Build a Dockerfile, reusing the layers that have not changed.

        Args:
            reference: name and tag of the result.
            dockerfile: its path.
            context: the folder it copies from.
            build_args: values of its ARGs.
            mounts: files of this machine, by their path while a RUN step works; they are in no layer.
        """
        self.run(
            "bud",
            "--layers",
            "--pull-never",
            "--network=host",
            "--isolation=chroot",
            *(f"--build-arg={name}={value}" for name, value in build_args.items()),
            *(f"--volume={source}:{target}:ro" for source, target in mounts.items()),
            f"--file={dockerfile}",
            f"--tag={reference}",
            str(context),
        )

    def _environment(self) -> dict[str, str]:
        conf = self.folder / "containers.conf"
        conf.write_text(_CONTAINERS_CONF)
        return {**os.environ, "CONTAINERS_CONF": str(conf)}
