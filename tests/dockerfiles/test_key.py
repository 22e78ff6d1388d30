"""The key: an unchanged tree builds nothing, and no change of what an image is made of goes unnoticed."""

import dataclasses
import re
from pathlib import Path

import pytest

from images.image import IMAGES, ROOT, Image, build_key

WORKER = dataclasses.replace(IMAGES["worker"], inputs=("requirements/worker.txt", "worker"))
FILES = {
    ".dockerignore": "*\n",
    "Dockerfile.worker": "FROM scratch\n",
    "requirements/worker.txt": "numpy\n",
    "worker/sogs_worker/cli.py": "main = print\n",
    "operator/splat_operator/job.py": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("operator")])
def test_changes_with_each_file_that_the_image_is_made_of(root, name):
    before = build_key(WORKER, root=root)
    write(root, name, FILES[name] + "#\n")
    assert build_key(WORKER, root=root) != before


def test_changes_with_a_files_name(root):
    before = build_key(WORKER, root=root)
    (root / "worker/sogs_worker/cli.py").rename(root / "worker/sogs_worker/run.py")
    assert build_key(WORKER, root=root) != before


def test_tells_where_one_file_ends_and_the_next_begins(root):
    write(root, "worker/sogs_worker/cli.py", "")
    write(root, "worker/sogs_worker/run.py", "x")
    before = build_key(WORKER, root=root)
    write(root, "worker/sogs_worker/cli.py", "x")
    write(root, "worker/sogs_worker/run.py", "")
    assert build_key(WORKER, root=root) != before


@pytest.mark.parametrize(
    "name",
    ["operator/splat_operator/job.py", "worker/sogs_worker/__pycache__/cli.pyc", "worker/.git/HEAD", "README.md"],
)
def test_stays_when_something_else_changes(root, name):
    before = build_key(WORKER, root=root)
    write(root, name, "changed")
    assert build_key(WORKER, root=root) == before


@pytest.mark.parametrize("image", IMAGES.values(), ids=lambda image: image.name)
def test_inputs_are_all_that_the_dockerfile_copies(image: Image):
    copies = re.findall(r"^COPY (?!--from)(\S+) \S+$", (ROOT / image.dockerfile).read_text(), re.MULTILINE)
    assert sorted(copies) == sorted(image.inputs)


def test_layers_that_are_merged_into_one_environment_share_no_package():
    pins = [
        name
        for layer in ("torch.txt", "sogs.txt", "worker.txt")
        for name in set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements" / layer).read_text(), re.MULTILINE))
    ]
    assert len(pins) > 20
    assert sorted(pins) == sorted(set(pins))
