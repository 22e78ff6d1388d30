"""`compress` to formats of several files: a folder a scene, and in it what the bundle would hold."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from sogs_worker.cli.main import main
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.formats.sog.file import read_sog
from splat_builders import build_splats

QUICK = ("--device", "cpu", "--quality", "fast")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "garden.ply"
    write_ply(path, build_splats(60, bands=1))
    return path


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path, output_format: str) -> tuple[int, str, str]:
    """Run `compress`; return its exit code, its output, and what it says on standard error but progress."""
    code = main(["compress", *QUICK, "--format", output_format, *map(str, arguments)])
    output, errors = capsys.readouterr()
    return code, output, "\n".join(line for line in errors.splitlines() if not line.startswith("{"))


def test_the_files_are_those_of_the_bundle(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scene.with_name("out")
    assert call(capsys, scene, f"{out}/", output_format="sog")[0] == 0
    assert call(capsys, scene, f"{out}/", output_format="sog-unbundled")[0] == 0
    files = {path.name: path.read_bytes() for path in (out / "garden").iterdir()}
    with zipfile.ZipFile(out / "garden.sog") as bundle:
        assert files == {name: bundle.read(name) for name in bundle.namelist()}
    assert {path.name for path in out.iterdir()} == {"garden.sog", "garden"}


def test_the_record_is_of_all_files(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = scene.with_name("exactly") / "meta.json"
    code, output, _ = call(capsys, "--json", scene, target, output_format="sog-unbundled")
    record = json.loads(output)
    assert (code, record["output"], record["splats"]) == (0, str(target), 60)
    assert record["bytes"] == sum(path.stat().st_size for path in target.parent.iterdir())
    _, line, _ = call(capsys, "--overwrite", scene, target, output_format="sog-unbundled")
    assert line.startswith("exactly/meta.json  ")


def test_what_is_written_is_read_by_the_other_commands(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scene.with_name("out")
    call(capsys, scene, f"{out}/", output_format="sog-unbundled")
    assert main(["inspect", str(out / "garden" / "meta.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splats"] == 60
    assert call(capsys, out, f"{out}-again/", output_format="sog")[0] == 0
    assert len(read_sog(scene.with_name("out-again") / "garden.sog")) == 60


def test_a_broken_scene_leaves_the_output_of_an_earlier_run(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = scene.with_name("out")
    call(capsys, scene, f"{out}/", output_format="sog-unbundled")
    before = {path: path.read_bytes() for path in (out / "garden").iterdir()}
    scene.write_bytes(b"no scene")
    assert call(capsys, "--overwrite", scene, f"{out}/", output_format="sog-unbundled")[0] == 65
    assert {path: path.read_bytes() for path in (out / "garden").iterdir()} == before


@pytest.mark.parametrize(
    ("inputs", "output", "words"),
    [
        (["garden.ply"], "out.sog", "out.sog: the output must end in meta.json, or in / for a folder"),
        (["garden.ply"], "out", "out: the output must end in meta.json"),
        (["garden.ply", "lawn.ply"], "out/meta.json", "2 scenes need a folder as output, a path that ends in /"),
        (["garden/meta.json"], "./", "garden/meta.json: an input would be overwritten"),
        (["garden/metadata.json"], "garden/meta.json", "garden/meta.json: an input would be overwritten"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    inputs: list[str],
    output: str,
    words: str,
    scene: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(scene.parent)
    call(capsys, scene, "garden/meta.json", output_format="sog-unbundled")
    (scene.parent / "garden" / "metadata.json").write_bytes((scene.parent / "garden" / "meta.json").read_bytes())
    before = {path: path.read_bytes() for path in scene.parent.rglob("*") if path.is_file()}
    code, _, sentence = call(capsys, *inputs, output, output_format="sog-unbundled")
    assert code == 64
    assert words in sentence
    assert {path: path.read_bytes() for path in scene.parent.rglob("*") if path.is_file()} == before


def test_a_folder_where_a_bundle_lies_is_said_to_be_in_the_way(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two scenes of one name keep their suffix, and so one's folder would be called as the bundle that is there."""
    out = scene.with_name("out")
    call(capsys, scene, scene.with_name("garden.sog"), output_format="sog")
    call(capsys, scene, out / "garden.sog", output_format="sog")
    both = (scene, scene.with_name("garden.sog"))
    code, output, sentence = call(capsys, *both, f"{out}/", output_format="sog-unbundled")
    assert (code, len(output.splitlines())) == (74, 1)
    assert f"{out}/garden.sog: cannot be made: File exists" in sentence
    assert len(read_sog(out / "garden.ply" / "meta.json")) == len(read_sog(out / "garden.sog")) == 60
