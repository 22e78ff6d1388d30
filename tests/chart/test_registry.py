"""The chart as a package in a registry for OCI artifacts, which is where users install it from."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.helm import CHART, Helm, HelmError
from chart.registry import find_registry, running_registry
from cluster.cache import default_cache

pytestmark = pytest.mark.e2e

VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]


@pytest.fixture
def package(helm: Helm, tmp_path: Path) -> Path:
    helm.run("package", str(CHART), "--destination", str(tmp_path))
    return tmp_path / f"splat-operator-{VERSION}.tgz"


@pytest.fixture
def pushed(helm: Helm, package: Path, tmp_path: Path) -> Iterator[str]:
    """Where the package is in a registry of this test."""
    with running_registry(find_registry(default_cache()), tmp_path) as address:
        helm.run("push", str(package), f"oci://{address}/charts", "--plain-http")
        yield f"oci://{address}/charts/splat-operator"


def test_the_chart_in_a_registry_is_the_chart(helm: Helm, pushed: str) -> None:
    wanted = (pushed, "--version", VERSION, "--plain-http")
    for what, name in (("values", "values.yaml"), ("readme", "README.md")):
        assert helm.run("show", what, *wanted).strip() == (CHART / name).read_text().strip()
    where = ("--namespace", "default", "--set", "crds.enabled=false")
    local, remote = (helm.run("template", "splats", *source, *where) for source in ((str(CHART),), wanted))
    assert remote == local
    installed = helm.run("install", "splats", *wanted, *where, "--dry-run=server")
    assert "serves all namespaces" in installed
    with pytest.raises(HelmError, match="not found"):
        helm.run("show", "values", pushed, "--version", "0.0.1", "--plain-http")


def test_a_package_has_no_tests_of_its_maintainers(package: Path) -> None:
    with tarfile.open(package) as archive:
        names = {name.removeprefix("splat-operator/") for name in archive.getnames()}
    assert {"Chart.yaml", "README.md", "values.schema.json", "templates/tests/compression.yaml"} <= names
    assert not [name for name in names if name.startswith("tests/")]
