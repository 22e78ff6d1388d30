"""The command line, with a small program in the place of the worker."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import main
from benchmarks.results import read_run
from benchmarks.scenes import Scene

WORKER = """
import json, shutil, sys
command, *paths = [each for each in sys.argv[1:] if not each.startswith("--")]
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
    cold, warm, peer = read_run(results).rows
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


def test_scenes_are_made_to_size(
    scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--sizes", "5", "20", "--base", str(scene.path), "--only", "ours fast", "--time-only"]
    more += ["--results", str(tmp_path / "r.jsonl"), "--out", str(tmp_path / "docs")]
    assert main(["run", *options, *more]) == 0
    output, _ = capsys.readouterr()
    assert output.index("### scene-5: 5 splats") < output.index("### scene-20: 20 splats")


def test_ablation_prints_its_table(
    drawable_scene: Scene, tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pack = """
with __import__("zipfile").ZipFile(paths[1], "w") as archive:
        archive.writestr("quats.webp", "12345")"""
    (tmp_path / "worker.py").write_text(WORKER.replace("shutil.copy(paths[0], paths[1])", pack.strip()))
    decode = "import shutil, sys; shutil.copy(*sys.argv[-2:])"
    tool = f'{sys.executable} -IS -c "{decode}"'
    assert main(["ablation", str(drawable_scene.path), *options, "--splat-transform", tool]) == 0
    header, _, first, *_ = capsys.readouterr().out.splitlines()
    names, cells = ([cell.strip() for cell in line.split("|")][1:-1] for line in (header, first))
    shown = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    expected = {"variant": "balanced", "quats": "5", "all": "5", "dB mean": "41.50", "dB worst": "40.25"}
    assert shown == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "none.ply"], "benchmarks: none.ply: No such file or directory; check the path"),
        (["run", "--sizes", "many"], "benchmarks: many: not a number of splats; write it as 30000, 30k or 1.5m"),
        (["report", "none.jsonl"], "benchmarks: none.jsonl: No such file or directory; check the path"),
        (
            ["run", "{scene}", "--only", "gzip"],
            "benchmarks: --only gzip: no encoder is called so; there are ours fast,",
        ),
    ],
    ids=["no scene", "no size", "no results", "no encoder"],
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
    assert main([each.replace("{scene}", str(scene.path)) for each in arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(sentence)
