"""The command line, without a cluster."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from benchmarks.errors import BenchmarkError
from benchmarks.operator import __main__ as program
from benchmarks.operator.arguments import build_parser, parse_seconds, parse_sizes


def test_sizes_are_read() -> None:
    assert build_parser().parse_args(["--sizes", "1000,3000,10000"]).sizes == [1000, 3000, 10_000]


@pytest.mark.parametrize("text", ["", "1000,", "1000,many", "0"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_sizes(text)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon"])
def test_times_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is not a positive number"):
        parse_seconds(text)


def test_without_a_cluster_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr(program.tempfile, "tempdir", None)
    assert program.main([]) == 1
    assert capsys.readouterr() == (
        "",
        'bench-operator: There is no kubeconfig: start the cluster, and eval "$(make -s cluster-env)".\n',
    )


def test_of_two_runs_the_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))
    with program._alone():
        assert program.main([]) == 1
    assert "Another run of this benchmark is at work" in capsys.readouterr().err


def test_errors_of_tasks_are_told_once() -> None:
    lost, refused = BenchmarkError("The watch was ended."), BenchmarkError("The API server refused.")
    group = ExceptionGroup("tasks", [lost, ExceptionGroup("more", [refused, lost])])
    assert program.sentences(group) == ["The watch was ended.", "The API server refused."]


def test_an_error_that_nobody_has_expected_is_raised() -> None:
    with pytest.raises(KeyError):
        program.sentences(ExceptionGroup("tasks", [BenchmarkError("a"), KeyError("b")]))
