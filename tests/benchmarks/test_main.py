"""The command line, with a small program in the place of the worker."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.process import fill_in
from benchmarks.results import read_rows
from benchmarks.scenes import Scene

WORKER = """
import json, shutil, sys
command, *paths = [each for each in sys.argv[1:] if not each.startswith("-")]
if command == "evaluate":
    print(json.dumps({"psnr": 41.5, "psnrWorst": 40.25}))
elif "--json" in sys.argv:
    shutil.copy(paths[1], f"{paths[2]}again-scene.sog")
    print(json.dumps({"seconds": 0.125}))
else:
    shutil.copy(paths[0], paths[1])
"""


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    (tmp_path / "worker.py").write_text(WORKER)
    return [
        *("--worker", f"{sys.executable} -IS {tmp_path}/worker.py"),
        *("--splat-transform", str(tmp_path / "none")),
        *("--work", str(tmp_path / "work")),
    ]


def test_a_run_ends_with_its_page_and_keeps_its_rows(
    scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    results, docs = tmp_path / "kept" / "results.jsonl", tmp_path / "docs"
    more = ["--only", "balanced", "splat", "--results", str(results), "--out", str(docs)]
    assert main(["run", str(scene.path), *options, *more]) == 0
    output, errors = capsys.readouterr()
    assert output.strip() == (docs / "bench.md").read_text().strip()
    assert "### garden: 8 splats" in output
    assert f"not run: {tmp_path}/none does not answer" in output
    assert [line.partition(":")[0] for line in errors.splitlines()] == ["garden"] * 3 + ["benchmarks"]
    cold, warm, peer = read_rows(results)
    # The converter, which would decode, is not there: our own decoder did.
    assert (cold.psnr_mean, cold.decoder) == (41.5, "our own decoder")
    assert (warm.seconds, warm.note) == (0.125, "")
    assert peer.seconds is None


def test_the_page_is_made_anew_from_kept_rows(
    scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kept = []
    for name in ("fast", "balanced"):
        kept.append(str(tmp_path / f"{name}.jsonl"))
        more = ["--only", f"ours {name}", "--time-only", "--results", kept[-1], "--out", str(tmp_path / name)]
        assert main(["run", str(scene.path), *options, *more]) == 0
    assert main(["report", *kept, "--out", str(tmp_path / "all")]) == 0
    page = (tmp_path / "all" / "bench.md").read_text()
    assert "| ours fast " in page
    assert "| ours balanced, warm " in page
    assert "dB mean |" not in page
    capsys.readouterr()


def test_several_commands_build_one_file_of_results_and_one_page(
    scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    other = scene.path.with_name("small.ply")
    shutil.copy(scene.path, other)
    results = tmp_path / "results.jsonl"
    for path, names in ((scene.path, ["fast"]), (other, ["fast"]), (scene.path, ["fast", "best"])):
        only = ["--only", *(f"ours {name}" for name in names)]
        kept = ["--results", str(results), "--out", str(tmp_path / "docs")]
        assert main(["run", str(path), *options, *only, "--time-only", *kept]) == 0
    rows = [(row.scene, row.encoder) for row in read_rows(results)]
    fast, best = (("ours fast", "ours fast, warm"), ("ours best", "ours best, warm"))
    assert rows[:4] == [(name, encoder) for name in ("garden", "small") for encoder in fast]
    assert rows[4:] == [("garden", encoder) for encoder in best]
    page = (tmp_path / "docs" / "bench.md").read_text()
    assert page.count("| ours fast ") == 2
    assert "| ours best, warm " in page
    capsys.readouterr()


def test_help_says_when_a_peer_is_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--limit S seconds after which a peer is stopped on a scene, which its row then says; default: 600" in said


@pytest.mark.parametrize("limit", ["0", "-5", "inf", "nan", "ten"])
def test_what_is_no_limit_is_refused(limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["run", "--limit", limit])
    assert f"--limit: {limit} is not a time limit; write seconds, such as 600" in capsys.readouterr().err


def test_rows_are_kept_where_no_plot_can_be_drawn(
    scene: Scene,
    tmp_path: Path,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in ("benchmarks.report", "benchmarks.plots"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    results = tmp_path / "results.jsonl"
    assert main(["run", str(scene.path), *options, "--only", "ours fast", "--results", str(results)]) == 1
    assert len(read_rows(results)) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(f"benchmarks: matplotlib is not installed, which the plots need; the rows are in {results}")


def test_scenes_are_made_to_size(
    scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--sizes", "5", "20", "--base", str(scene.path), "--only", "ours fast", "--time-only"]
    more += ["--results", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "docs")]
    assert main(["run", *options, *more]) == 0
    output, _ = capsys.readouterr()
    assert output.index("### scene-5: 5 splats") < output.index("### scene-20: 20 splats")


@pytest.fixture
def packing(tmp_path: Path, options: list[str]) -> list[str]:
    """Give options under which the worker writes a bundle of one plane, and judges without a look."""
    pack = """
with __import__("zipfile").ZipFile(paths[1], "w") as archive:
        archive.writestr("quats.webp", "12345")"""
    (tmp_path / "worker.py").write_text(WORKER.replace("shutil.copy(paths[0], paths[1])", pack.strip()))
    decode = "import shutil, sys; shutil.copy(*sys.argv[-2:])"
    return [*options, "--splat-transform", f'{sys.executable} -IS -c "{decode}"']


def test_ablation_prints_its_table_and_each_row_as_it_is_done(
    drawable_scene: Scene, packing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablation", str(drawable_scene.path), *packing, "--only", "best", "geometry"]) == 0
    output, errors = capsys.readouterr()
    header, _, *lines = ([cell.strip() for cell in line.split("|")][1:-1] for line in output.splitlines())
    assert [cells[0] for cells in lines] == ["balanced", "best", "geometry"]
    shown = {name: cell for name, cell in zip(header, lines[0], strict=True) if cell}
    expected = {"variant": "balanced", "quats": "5", "all": "5", "dB mean": "41.50", "dB worst": "40.25"}
    assert shown == expected
    assert [line.rpartition(", ")[0] for line in errors.splitlines()][:2] == [
        "cloud: balanced: 5 bytes",
        "cloud: best: 5 bytes",
    ]


def test_ablation_draws_from_named_cameras(
    drawable_scene: Scene, tmp_path: Path, packing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """With an evaluator that tells which cameras it was given, and cameras that nothing can be drawn from."""
    cameras = tmp_path / "mine.json"
    cameras.write_text("[]")
    script = f"""echo "$*" > {tmp_path}/given; echo '{{"psnr": 1, "psnrWorst": 1}}'"""
    more = ["--cameras", str(cameras), "--evaluator", shlex.join(["sh", "-c", script, "{scene}"])]
    assert main(["ablation", str(drawable_scene.path), *packing, *more, "--only", "best"]) == 0
    assert (tmp_path / "given").read_text() == f"--cameras {cameras}\n"
    assert main(["ablation", str(drawable_scene.path), *packing, *more, "--only", "geometry"]) == 1
    assert f"benchmarks: {cameras}: " in capsys.readouterr().err


def test_ablation_help_names_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["ablation", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "--cameras FILE.json views to judge from" in said
    assert "--only TEXT [TEXT ...] only variants with one of these in the name" in said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "none.ply"], "benchmarks: none.ply: No such file or directory; check the path"),
        (["run", "--sizes", "many"], "benchmarks: many: not a number of splats; write it as 30000, 30k or 1.5m"),
        (["report", "none.jsonl"], "benchmarks: none.jsonl: No such file or directory; check the path"),
        (["report", "{empty}"], "benchmarks: {empty}: has no rows; run `python -m benchmarks run` first"),
        (["run", "--results", "{scene}"], "benchmarks: {scene}: not a file of results of this version; move it away"),
        (["ablation", "{scene}", "--cameras", "no.json"], "benchmarks: no.json: no file of cameras is there; check"),
        (["ablation", "{scene}", "--only", "x y"], "benchmarks: --only x y: no variant is called so; there are"),
        (
            ["run", "{scene}", "--only", "gzip"],
            "benchmarks: --only gzip: no encoder is called so; there are ours fast,",
        ),
    ],
    ids=["scene", "size", "results", "rows", "other file", "cameras", "variant", "encoder"],
)
def test_a_wrong_argument_is_one_sentence(
    arguments: list[str],
    sentence: str,
    scene: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    files = {"scene": str(scene.path), "empty": str(tmp_path / "empty.jsonl")}
    assert main(fill_in(arguments, **files)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(*fill_in([sentence], **files))
