"""The packages of the engine sogs: in the image if asked for, in no way of the engine native, and absent otherwise.

The everyday image is without. The other is built if SOGS_SOURCES names a folder with the sources sogs and PLAS.
"""

import hashlib
import re

import pytest

from images.image import ROOT
from sogs_worker.formats.ply.file import write_ply
from splat_builders import build_splats

PACKAGES = ("cupy", "kornia", "plas", "sogs", "torchpq")
FIND_ALL = f"import importlib.util as i; print([name for name in {PACKAGES} if i.find_spec(name)])"
SORT = """
import plas, torch
grid, order = plas.sort_with_plas(torch.rand(3, 16, 16), seed=0)
print(tuple(grid.shape), sorted(order.flatten().tolist()) == list(range(256)))
"""


def test_sources_are_those_that_the_checksums_are_of(sogs_sources):
    lines = (ROOT / "requirements/sogs.sha256").read_text().splitlines()
    folders = {"sogs": sogs_sources / "sogs/src", "plas": sogs_sources / "PLAS"}
    for expected, name in (line.split() for line in lines):
        assert hashlib.sha256((folders[name.split("/")[0]] / name).read_bytes()).hexdigest() == expected, name


def test_addresses_name_commits_and_packages_the_checksums_have():
    addresses = re.findall(r"https://\S+/(\w+)/archive/[0-9a-f]{40}\.tar\.gz", (ROOT / "Dockerfile.worker").read_text())
    packages = {line.split()[1].split("/")[0] for line in (ROOT / "requirements/sogs.sha256").read_text().splitlines()}
    assert {name.lower() for name in addresses} == packages == {"sogs", "plas"}


@pytest.mark.e2e
def test_image_without_it_has_none_of_its_packages(worker_image):
    assert worker_image.execute("python", "-c", FIND_ALL).stdout == "[]\n"


@pytest.mark.e2e
def test_image_with_it_has_all_of_its_packages(sogs_image):
    assert sogs_image.execute("python", "-c", FIND_ALL).stdout == f"{list(PACKAGES)}\n"


@pytest.mark.e2e
def test_image_with_it_has_the_sogs_that_is_not_on_pypi(sogs_image):
    done = sogs_image.execute("python", "-c", "import importlib.metadata as m; print(m.version('sogs'))")
    assert (done.stdout, done.stderr) == ("1.1.0\n", "")


@pytest.mark.e2e
def test_plas_sorts_with_the_pinned_kornia(sogs_image):
    done = sogs_image.execute("python", "-c", SORT)
    assert (done.stdout, done.stderr) == ("(3, 16, 16) True\n", "")


@pytest.mark.e2e
def test_native_needs_and_loads_none_of_them(sogs_image):
    write_ply(sogs_image.shared / "scene.ply", build_splats(500))
    arguments = ("compress", "--device=cpu", "--quality=fast", "/mnt/scene.ply", "/mnt/scene.sog")
    done = sogs_image.execute("python", "-X", "importtime", "-m", "sogs_worker", *arguments)
    assert done.returncode == 0, done.stderr
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "torch" in loaded
    assert loaded.isdisjoint(PACKAGES)
