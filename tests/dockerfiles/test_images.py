"""What the images promise to a cluster that trusts nothing: checked on the images themselves."""

import platform
import re
from pathlib import Path

import pytest

from sogs_worker.formats.ply.file import read_ply, write_ply
from splat_builders import build_splats

pytestmark = pytest.mark.e2e

COMPILER = re.compile(r"(.*-)?(cc|c\+\+|gcc|g\+\+|clang|clang\+\+|cpp|tcc|rustc|as|ld|ld\.(bfd|gold|lld))(-[\d.]+)?")
STALE_BYTECODE = """
import importlib.util, pathlib, sys, {package}
for source in pathlib.Path({package}.__file__).parent.rglob("*.py"):
    header = pathlib.Path(importlib.util.cache_from_source(str(source))).read_bytes()[4:12]
    if header != bytes(4) + int(source.stat().st_mtime).to_bytes(4, "little"):
        sys.exit(f"{{source}} would be compiled at each start")
"""


def test_runs_as_a_numeric_user_that_is_not_root(image):
    assert image.config["User"] == "65532:65532"
    assert image.execute("id", "-u").stdout == "65532\n"


def test_has_no_compiler(image):
    found = [path for path in image.root.glob("**/*bin/*") if COMPILER.fullmatch(path.name)]
    assert found == []


def test_its_file_system_is_read_only_for_what_follows(image):
    done = image.execute("python", "-c", "open('/tmp/x', 'w')")
    assert "Read-only file system" in done.stderr


def test_worker_answers_help(worker_image):
    done = worker_image.run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "compress" in done.stdout


def test_worker_has_torch_that_works_with_its_numpy(worker_image):
    done = worker_image.execute("python", "-c", "import numpy, torch; print(torch.ones(2).numpy() + numpy.ones(2))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "[2. 2.]\n", "")


def test_worker_compresses_a_scene_and_reads_it_back(worker_image):
    """With the image's own Python, torch and numpy, which are not those of the development environment."""
    write_ply(worker_image.shared / "scene.ply", build_splats(500))
    done = worker_image.run("compress", "--device=cpu", "--quality=fast", "/mnt/scene.ply", "/mnt/scene.sog")
    assert done.returncode == 0, done.stderr
    done = worker_image.run("decompress", "/mnt/scene.sog", "/mnt/again.ply")
    assert done.returncode == 0, done.stderr
    assert len(read_ply(worker_image.shared / "again.ply")) == 500


def test_worker_has_all_it_imports(worker_image):
    done = worker_image.execute("python", "-c", "import boto3, PIL.Image, rich, sogs_worker.cli.commands")
    assert (done.returncode, done.stderr) == (0, "")


def test_operator_has_all_it_imports(operator_image):
    done = operator_image.execute("python", "-c", "import kopf, kubernetes, prometheus_client, splat_operator")
    assert (done.returncode, done.stderr) == (0, "")


def test_knows_a_name_for_its_user(image):
    """Kopf asks for it, and no line of /etc/passwd has it."""
    done = image.execute("python", "-c", "import getpass; print(getpass.getuser())")
    assert done.stdout.strip() == image.config["Labels"]["org.opencontainers.image.title"]


@pytest.mark.parametrize(
    ("fixture", "package"), [("operator_image", "splat_operator"), ("worker_image", "sogs_worker")]
)
def test_bytecode_is_there_and_fresh(request, fixture, package):
    done = request.getfixturevalue(fixture).execute("python", "-c", STALE_BYTECODE.format(package=package))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_code_change_moves_less_than_two_megabytes(image):
    assert image.layers[-1]["size"] < 2_000_000
    assert max(layer["size"] for layer in image.layers) > 10_000_000


def test_pip_and_apt_settings_of_the_build_are_not_in_it(image):
    assert not (image.root / "etc/pip.conf").exists()
    assert (image.root / "etc/apt/sources.list").read_text() == ""
    assert not any((image.root / "etc/apt/sources.list.d").iterdir())
    assert not any(re.match(r"(PIP_|AWS_|.*_PROXY=)", variable, re.IGNORECASE) for variable in image.config["Env"])


def test_the_machines_name_is_not_in_it(image):
    files = [image.root / "etc" / name for name in ("hosts", "hostname", "resolv.conf")]
    assert platform.node() not in " ".join(file.read_text() for file in files if file.exists()).split()


def test_trusts_only_debians_certificate_authorities(image):
    bundle = (image.root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert bundle.count("BEGIN CERTIFICATE") > 50
    own = [path.read_text().strip() for path in Path("/usr/local/share/ca-certificates").rglob("*.crt")]
    assert not any(certificate in bundle for certificate in own)


def test_leaves_no_trace_of_the_repository(image):
    assert not (image.root / "src").exists()
    assert {path.name for path in (image.root / "root").iterdir()} <= {".bashrc", ".profile"}
