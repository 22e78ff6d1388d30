"""`compress` with --include, --exclude and --names: which scenes are taken, and what their outputs are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from archive_builders import pack
from sogs_worker.cli.main import main
from sogs_worker.errors import StorageError
from sogs_worker.formats.ply.file import write_ply
from sogs_worker.source.search import NONE_TAKEN
from sogs_worker.storage.local.files import LocalFiles
from splat_builders import build_splats

TRAINED = "point_cloud/iteration_30000/point_cloud.ply"


@pytest.fixture
def scene(tmp_path: Path) -> bytes:
    """A scene of ten splats."""
    path = tmp_path / "scene.ply"
    write_ply(path, build_splats(10, bands=0))
    data = path.read_bytes()
    path.unlink()
    return data


def lay(folder: Path, scene: bytes, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(scene)
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[str]]:
    """Run `compress`; return its exit code and the sentences on standard error."""
    code = main(["compress", "--device", "cpu", "--quality", "fast", *map(str, arguments)])
    lines = capsys.readouterr().err.splitlines()
    return code, [line.removeprefix("sogs-worker: ") for line in lines if line.startswith("sogs-worker: ")]


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_trainers_scenes_are_called_as_they_are(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = (f"garden/{TRAINED}", f"lawn/{TRAINED}", "garden/point_cloud/iteration_7000/point_cloud.ply", "input.ply")
    runs = lay(tmp_path / "runs", scene, *names)
    pack(runs, "zip", {TRAINED: scene, "input.ply": b"no scene"}, name="house")
    (runs / "unasked.zip").write_bytes(b"no archive")
    choice = ("--include", "**/iteration_30000/*.ply", "--exclude", "unasked.*", "--names", "{top}")
    assert call(capsys, *choice, runs, f"{tmp_path}/out/") == (0, [])
    assert made(tmp_path / "out") == ["garden.sog", "house.sog", "lawn.sog"]


def test_several_inputs_are_selected_and_named_as_one(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [lay(tmp_path / name, scene, "point_cloud.ply", "input.ply") for name in ("garden", "lawn")]
    tour = pack(tmp_path, "tar", {"a/x.ply": scene, "b/x.ply": scene, "b/input.ply": scene}, name="tour")
    code, sentences = call(capsys, *runs, tour, f"{tmp_path}/out/", "--exclude", "**/input.ply", "--names", "{folder}")
    assert (code, sentences) == (0, [])
    assert made(tmp_path / "out") == ["garden.sog", "lawn.sog", "tour/a.sog", "tour/b.sog"]


def test_named_scenes_of_one_name_are_called_by_their_folders(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = lay(tmp_path, scene, "a/garden/x.ply", "b/lawn/x.ply", "c/lawn/x.ply")
    inputs = [folder / "a/garden/x.ply", folder / "b/lawn/x.ply"]
    code, sentences = call(capsys, *inputs, f"{tmp_path}/out/")
    end = "would both be called x.ply; choose other --names, rename one or compress them apart"
    assert (code, sentences) == (64, [f"{inputs[0]} and {inputs[1]} {end}"])
    assert call(capsys, *inputs, f"{tmp_path}/out/", "--names", "{folder}") == (0, [])
    assert made(tmp_path / "out") == ["garden.sog", "lawn.sog"]
    code, (sentence,) = call(capsys, *inputs, folder / "c/lawn/x.ply", f"{tmp_path}/out/", "-w", "--names", "{folder}")
    assert code == 64
    assert sentence.startswith(f"{inputs[1]} and {folder}/c/lawn/x.ply would both be called lawn; choose other --names")


def test_scenes_of_an_archive_with_one_name_are_refused_before_the_work(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tour = pack(tmp_path, "zip", {"a/x.ply": scene, "b/x.ply": scene}, name="tour")
    code, (sentence,) = call(capsys, tour, f"{tmp_path}/out/", "--names", "{stem}")
    assert code == 64
    assert sentence.startswith(f"{tour}/a/x.ply and {tour}/b/x.ply would both be called x; choose other --names")
    assert not (tmp_path / "out").exists()


def test_what_is_not_taken_is_not_read(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_store: LocalFiles, key: str, *_: object) -> None:
        raise StorageError(f"{key} was read")

    runs = lay(tmp_path / "runs", scene, "a.ply", "b/c.ply", "lod/lod-meta.json", "old.zip", "d/meta.json")
    monkeypatch.setattr(LocalFiles, "peek", refuse)
    code, (sentence,) = call(capsys, runs, f"{tmp_path}/out/", "--include", "*.spz", "--exclude", "**/b?")
    assert code == 66
    assert sentence == (
        f"{runs} has no scene and no archive that matches --include *.spz and not --exclude **/b?; put one there or"
        " correct the globs"
    )


def test_archives_in_which_nothing_is_taken(scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    tour = pack(runs, "zip", {"a/x.ply": scene}, name="tour")
    code, sentences = call(capsys, "--exclude", "**/x.ply", runs, f"{tmp_path}/out/")
    assert code == 65
    assert sentences == [
        f"passed over: {tour} {NONE_TAKEN}",
        f"{runs} has archives only, and no scene that does not match --exclude **/x.ply is in any; put one there or"
        " correct the globs",
    ]
    code, (sentence,) = call(capsys, "--include", "*.ply", tour, f"{tmp_path}/out/")
    assert code == 65
    assert sentence.startswith(f"{tour}: has no scene that matches --include *.ply; see docs/formats.md")


def test_parts_of_a_streamed_scene_are_none_whatever_is_asked_for(
    scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = lay(tmp_path / "runs", scene, "lod/0.sog", "a.ply")
    (runs / "lod/lod-meta.json").write_text('{"filenames": ["0.sog"]}')
    code, sentences = call(capsys, "--include", "**/*.sog", runs, f"{tmp_path}/out/")
    assert (code, len(sentences)) == (66, 1)
    assert "lod-meta.json is a streamed SOG" in sentences[0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--include", "a**"), "--include has 'a**'; a glob is a path below the source without"),
        (("--exclude", "../a"), "--exclude has '../a'; a glob is a path below the source without"),
        (
            ("--names", "../{stem}"),
            "--names is '../{stem}'; it must be a path of text and {path}, {stem}, {folder} and",
        ),
        (("--include", "*.ply"), "IN.ply is one scene and --include cannot select from it; name a folder or"),
    ],
    ids=["include", "exclude", "names", "one scene"],
)
def test_what_cannot_be_is_refused(
    options: tuple[str, ...], sentence: str, scene: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lay(tmp_path, scene, "IN.ply") / "IN.ply"
    code, (told,) = call(capsys, *options, path, f"{tmp_path}/out/")
    assert code == 64
    assert told.removeprefix(f"{tmp_path}/").startswith(sentence)
