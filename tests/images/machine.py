"""What the builds borrow from the machine at run time: its tools, Debian mirror, pip settings and CA certificates.

Nothing of it is written into a file of the project or left in an image.
"""

import configparser
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_TOOLS = {"buildah": "buildah", "runc": "runc", "debootstrap": "debootstrap"}  # command: Debian package
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "retries")


class MachineError(Exception):
    """The machine lacks something; the message is one sentence with the remedy."""


def install_tools() -> None:
    """Install the Debian packages whose commands are missing; needs root."""
    if os.geteuid() != 0:
        raise MachineError("the images are built as root (chroot, overlay mounts): run the command with sudo")
    missing = [package for command, package in _TOOLS.items() if shutil.which(command) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None:
        raise MachineError(f"{', '.join(missing)} not found: install them with this machine's package manager")
    subprocess.run(["apt-get", "update", "-q"], check=True)
    subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], check=True)


def find_debian_mirror() -> str:
    """URL of the archive that this machine's own apt sources name for its release's main component."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    listing = subprocess.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return parse_mirror(listing, codename=codename)


def parse_mirror(listing: str, *, codename: str) -> str:
    """First repository of ``codename main`` in lines of ``release component uri``."""
    for line in listing.splitlines():
        release, component, uri = line.split(maxsplit=2)
        if (release, component) == (codename, "main"):
            return uri.rstrip("/")
    raise MachineError(f"apt's sources name no archive of {codename} main: add Debian's to /etc/apt/sources.list.d")


def read_pip_settings() -> str:
    """This machine's pip settings that decide where packages come from, as the text of a pip.conf."""
    return build_pip_conf(_pip_files(), os.environ)


def _pip_files() -> list[Path]:
    """Configuration files of pip, the later ones the stronger."""
    home = Path.home()
    files = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    return [*files, Path(os.environ["PIP_CONFIG_FILE"])] if "PIP_CONFIG_FILE" in os.environ else files


def build_pip_conf(files: Sequence[Path], environment: Mapping[str, str]) -> str:
    """Merge the [global] and [install] sections of files and the PIP_ variables, the strongest of pip's sources."""
    parser = configparser.RawConfigParser()
    parser.read(files)
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            settings.update(parser.items(section))
    for name in _PIP_SETTINGS:
        variable = "PIP_" + name.upper().replace("-", "_")
        if variable in environment:
            settings[name] = environment[variable]
    lines = [f"{name} = {settings[name]}" for name in _PIP_SETTINGS if name in settings]
    return "\n".join(["[global]", *lines, ""])
