"""What builds read from the machine."""

import pytest

from images.errors import ImageError
from images.machine import build_pip_conf, parse_mirror

LISTING = """\
trixie contrib http://debian.example/debian/
other main http://tools.example/apt/
trixie main http://debian.example/debian/
trixie main http://second.example/debian/
"""


def test_mirror_is_the_first_archive_of_the_machines_release():
    assert parse_mirror(LISTING, codename="trixie") == "http://debian.example/debian"


def test_machine_without_an_archive_is_told_so():
    with pytest.raises(ImageError, match="no archive of bookworm main"):
        parse_mirror(LISTING, codename="bookworm")


def test_variables_win_over_pips_files_and_paths_stay_behind(tmp_path):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://file.example/simple\ntimeout = 9\ncert = /etc/own.pem\n")
    conf = build_pip_conf([file], {"PIP_INDEX_URL": "https://variable.example/simple", "PIP_FIND_LINKS": "/wheels"})
    assert conf == "[global]\nindex-url = https://variable.example/simple\ntimeout = 9\n"


def test_machine_without_settings_gives_pip_none(tmp_path):
    assert build_pip_conf([tmp_path / "absent"], {}) == "[global]\n"
