"""Bundles are decoded and judged by programs; here small ones stand for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.quality import Judge, Verdict, judge_bundle, parse_psnr
from benchmarks.scenes import Scene

COPY = ["cp"]


def answer(text: str) -> list[str]:
    return ["sh", "-c", f"echo '{text}'"]


ANSWER = answer('{"psnr": 41.5, "psnrWorst": 40.25}')


def judge(scene: Scene, tmp_path: Path, judge: Judge) -> Verdict:
    bundle = tmp_path / "scene.sog"
    bundle.write_bytes(b"bundle")
    verdict = judge_bundle(judge, scene, bundle, tmp_path / "decoded.ply")
    assert not (tmp_path / "decoded.ply").exists()
    return verdict


def test_it_says_what_the_evaluator_says_and_who_decoded(scene: Scene, tmp_path: Path) -> None:
    assert judge(scene, tmp_path, Judge({"theirs": COPY, "ours": ["false"]}, ANSWER)) == Verdict(41.5, 40.25, "theirs")


def test_the_next_decoder_is_asked_where_one_fails_or_writes_nothing(scene: Scene, tmp_path: Path) -> None:
    decoders = {"first": ["false"], "second": ["true"], "third": COPY}
    assert judge(scene, tmp_path, Judge(decoders, ANSWER)).decoder == "third"


def test_what_nobody_decodes_is_said_with_all_reasons(scene: Scene, tmp_path: Path) -> None:
    verdict = judge(scene, tmp_path, Judge({"first": ["false"], "second": ["true"]}, ANSWER))
    assert verdict.note == "not decoded: first: exit code 1: it said nothing; second: wrote nothing"
    assert verdict.psnr_mean is None


def test_the_evaluator_gets_both_scenes_and_the_cameras(scene: Scene, tmp_path: Path) -> None:
    script = (
        'test "$(cat "$1")" = bundle && shift && echo "{\\"psnr_mean\\": 1, \\"psnr_worst\\": 0, \\"seen\\": \\"$*\\"}"'
    )
    evaluator = ["sh", "-c", f'{script} | tee "$0"', f"{tmp_path}/said", "{decoded}", "{scene}"]
    assert judge(scene, tmp_path, Judge({"copy": COPY}, evaluator)).psnr_mean == 1
    assert f'"{scene.path} --cameras {scene.cameras}"' in (tmp_path / "said").read_text()


@pytest.mark.parametrize(
    ("evaluator", "note"),
    [
        (
            ["sh", "-c", "echo 'sogs-worker: no views' >&2; exit 65"],
            "not evaluated: exit code 65: sogs-worker: no views",
        ),
        (answer('{"ssim": 1}'), 'not evaluated: no PSNR in the evaluator\'s answer: {"ssim": 1}'),
        (answer('{"identical": true, "psnr": null}'), "every picture is that of the scene: infinite dB"),
    ],
    ids=["fails", "says nothing", "identical"],
)
def test_why_there_is_no_figure(evaluator: list[str], note: str, scene: Scene, tmp_path: Path) -> None:
    verdict = judge(scene, tmp_path, Judge({"copy": COPY}, evaluator))
    assert (verdict.psnr_mean, verdict.psnr_worst, verdict.note) == (None, None, note)


@pytest.mark.parametrize(
    ("text", "psnr"),
    [
        ('{"psnrMean": 40, "psnrWorst": 38.5}', (40.0, 38.5)),
        ('{\n "psnr_mean": 40,\n "psnr_worst": 38\n}\n', (40.0, 38.0)),
        ('{"psnr_mean": 1, "psnr_worst": 1}\nnoise\n{"psnr_mean": 2, "psnr_worst": 2}\n', (2.0, 2.0)),
        ('{"psnr": 40}', None),
        ('{"psnr": null, "psnrWorst": null}', None),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_psnr_is_found_in_json(text: str, psnr: tuple[float, float] | None) -> None:
    assert parse_psnr(text) == psnr
