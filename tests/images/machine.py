"""What the builds borrow from the machine at run time: its Debian mirror, pip settings and CA certificates.

Nothing of it is written into a file of the project or left in an image.
"""

import configparser
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.errors import ImageError

CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout", "retries")


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
    raise ImageError(f"apt's sources name no archive of {codename} main: add Debian's to /etc/apt/sources.list.d")


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
