"""The shell's completion, asked of the shell itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sogs_worker.cli.completion import build_script
from sogs_worker.cli.parser import SHELLS, build_parser

COMPLETE = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
$(complete -p sogs-worker | sed -E 's/.* -F ([^ ]+) .*/\\1/') sogs-worker "${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(folder: Path, line: str) -> set[str]:
    """Say what bash proposes for the last word of a line."""
    script = folder / ".completion"
    script.write_text(build_script(build_parser(), "bash"))
    command = ["bash", "-c", COMPLETE, "bash", str(script), *line.split(" ")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("sogs-worker co", {"compress", "convert", "completion"}),
        ("sogs-worker compress --quality ", {"fast", "balanced", "best", "compact", "smallest"}),
        ("sogs-worker compress --format sog-", {"sog-unbundled"}),
        ("sogs-worker compress --engine ", {"native", "sogs"}),
        ("sogs-worker render --device c", {"cuda", "cpu"}),
        ("sogs-worker evaluate --v", {"--views", "--verbose"}),
        ("sogs-worker compress --preview g", {"garden.ply"}),
        ("sogs-worker decompress g", {"garden.ply"}),
        ("sogs-worker render --cameras c", {"cameras.json"}),
        ("sogs-worker completion ", {*SHELLS}),
    ],
)
def test_bash_proposes(line: str, proposed: set[str], tmp_path: Path) -> None:
    for name in ("garden.ply", "cameras.json"):
        (tmp_path / name).touch()
    assert complete(tmp_path, line) == proposed


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_script(shell: str, tmp_path: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(build_script(build_parser(), shell))
    done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
